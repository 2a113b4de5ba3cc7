#!/usr/bin/python3
"""Check that freestanding libraries ask nothing of the platform that it need not have.

Given all of them, the symbols that none of them defines may only be memcpy, memmove, memset and
memcmp (which compilers call on their own), the compiler's arithmetic, and the functions that every
port defines. So there is no allocation (operator new, malloc), no exception and no guard of a static
local, and nothing of a C or C++ library. Nor may there be an initialiser that has to run before main.

Libraries named with --c-library may call the C library as well, and each other. Of the C++ library
and its run-time support they may have nothing either.

Prints LIBRARY(OBJECT): reason for each thing that is not allowed, and then exits with status 1.
"""

import argparse
import os
import re
import subprocess
import sys

# Compilers generate calls of these from plain C++.
COMPILER_CALLS = frozenset((
    "memcpy", "memmove", "memset", "memcmp", "_GLOBAL_OFFSET_TABLE_", "__cxa_pure_virtual"))

# libgcc's arithmetic: __udivdi3, __popcountdi2, __muloti4, __aeabi_uldivmod...
ARITHMETIC = re.compile(r"__(?:u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|clz|ctz|ffs|popcount|parity|"
                        r"bswap|neg|cmp|ucmp)[a-z]*[dst]i[234]$|__aeabi_u?[il]\w*$")

# What a port defines beside its class: the hook of failed assertions, and those of capi/hooks.hpp.
PORT_FUNCTIONS = re.compile(r"_ZN6modmem(?:12check_failedE|12boot_defaultE|5panicE|9name_codeE)")

# What the C++ library and its run-time support define; all other C++ names are ours.
CPLUSPLUS = re.compile(r"_Z|__cxa_|__gxx_|_Unwind_|__dynamic_cast$")

# The sections that list what runs before main.
INITIALISER_SECTIONS = re.compile(r"\.(?:init_array|ctors|preinit_array)\b")

MEMBER = re.compile(r"(\S+\.o(?:bj)?):$")
# As nm prints them. Lower-case w and v are weak references.
DEFINED_KINDS = frozenset("TtWVBbDdRrCcSsGgiu")
REFERENCE_KINDS = frozenset("Uwv")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library, nm):
    """(object file, kind, name) of every symbol of a static library."""
    member = "?"
    for line in run(nm, library).splitlines():
        match = MEMBER.match(line)
        if match:
            member = match[1]
            continue
        fields = line.split()
        if len(fields) >= 2:
            yield member, fields[-2], fields[-1]


def initialisers(library, objdump):
    """The object files of a static library that have code to run before main."""
    member = "?"
    for line in run(objdump, "-h", library).splitlines():
        match = re.match(r"(\S+\.o(?:bj)?):\s+file format", line)
        if match:
            member = match[1]
        elif INITIALISER_SECTIONS.search(line):
            yield member


def unresolved(libraries, defined, nm):
    """(library, object file, name) of what the libraries refer to and nothing that is known yet
    defines, the platform neither. Adds what they define to `defined`."""
    wanted = []
    for library in libraries:
        for member, kind, name in symbols(library, nm):
            if kind in REFERENCE_KINDS:
                wanted.append((library, member, name))
            elif kind in DEFINED_KINDS:
                defined.add(name)
    for library, member, name in wanted:
        if name in defined or name in COMPILER_CALLS:
            continue
        if ARITHMETIC.match(name) or PORT_FUNCTIONS.match(name):
            continue
        yield library, member, name


def check(libraries, c_libraries, nm, objdump):
    """The things that are not allowed, as lines of text."""
    defined = set()
    wanted = list(unresolved(libraries, defined, nm))
    # Only now: nothing freestanding may refer to what these define.
    wanted += (found for found in unresolved(c_libraries, defined, nm)
               if CPLUSPLUS.match(found[2]))
    for library, member, name in wanted:
        yield f"{os.path.basename(library)}({member}): refers to {demangled(name)}"
    for library in libraries + c_libraries:
        for member in initialisers(library, objdump):
            yield f"{os.path.basename(library)}({member}): has an initialiser that runs before main"


def demangled(name):
    try:
        return run("c++filt", name).strip()
    except FileNotFoundError:
        return name


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("--c-library", action="append", default=[], dest="c_libraries",
                        metavar="LIBRARY", help="one that may call the C library")
    parser.add_argument("libraries", nargs="*", help="all freestanding libraries of one build")
    args = parser.parse_args(arguments)
    found = sorted(set(check(args.libraries, args.c_libraries, args.nm, args.objdump)))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
