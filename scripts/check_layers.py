#!/usr/bin/python3
"""Check that each layer uses only what stands before it, and what its targets have.

The folders are the layers, in the order of LAYERS. For every source file in them:

  * an include in quotes is a path from the repository root (or modmem/..., a generated header)
    into the same layer or one before it;
  * a public C header is included in angle brackets, as its users do, from capi/ or later;
  * port/posix and port/host, the ports of a host, are known to themselves, to tests and to hosted
    code only, those of machines to themselves and to firmware/ only;
  * freestanding layers include only freestanding standard headers, and do no more to atomic
    variables than to load and store them: targets without instructions for more have no functions
    for it either (the port's lock is there for that);
  * an integration knows, of hosted headers, those of what it integrates with alone;
  * code for tests alone is included by nothing but tests.

Code for tests is what is named *_test.cpp, *_test.hpp, *_testing.cpp or *_testing.hpp or lies in
a folder named testing, in fuzz/, stress/ or capi/tests/; it may include hosted headers in any layer.

Prints FILE:LINE: reason for each line that breaks a rule, and then exits with status 1.
"""

import argparse
import os
import re
import subprocess
import sys

LAYERS = ("base", "port", "page", "record", "heap", "memory", "module", "capi", "firmware", "hosted", "trace", "tuning",
          "testbench", "tools", "fuzz", "examples", "bench", "stress", "integrations")
HOSTED_LAYERS = ("hosted", "trace", "tuning", "testbench", "tools", "fuzz", "examples", "bench", "stress")
HOST_PORTS = ("port/posix/", "port/host/")
# The ports of machines, which are known to themselves and to the images that boot them, and do to
# atomic variables what their machine can.
MACHINE_PORTS = ("port/cortex_m/", "port/riscv/", "port/xtensa/")
# Folders of freestanding layers that are hosted all the same.
HOSTED_FOLDERS = (*HOST_PORTS, "capi/host/", "capi/testing/", "capi/tests/")
# The public C headers, which are included as their users do: <rtos/alloc.h>.
PUBLIC_HEADERS = "capi/include/"
PUBLIC_FOLDERS = ("rtos/", "sof/", "user/", "modmem/")
# What each integration includes of others, and of its own public headers.
INTEGRATED_HEADERS = {"integrations/zephyr/": ("zephyr/", "modmem_zephyr.h")}
SUFFIXES = (".hpp", ".cpp", ".h", ".c")

# The generated headers, and the first layer that may include each.
GENERATED = {"config.hpp": "base", "config.h": "base", "presets.hpp": "port",
             "recorded_trace.hpp": "firmware"}

# The headers that C++20 calls freestanding, and those of which later standards do so in part.
# What code then refers to, scripts/check_freestanding.py checks.
FREESTANDING_HEADERS = frozenset((
    "algorithm array atomic bit cfloat climits compare concepts coroutine cstdarg cstddef cstdint "
    "cstring exception initializer_list iterator limits new numbers optional ratio "
    "source_location span string_view tuple type_traits typeinfo utility version "
    "stddef.h stdint.h stdarg.h limits.h float.h stdbool.h "
    # Names of errors, and memcpy and its kin.
    "cerrno errno.h string.h").split())

INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]*)"|<([^>]*)>)')
# What needs more of a target than loads and stores; atomic_flag has nothing else.
EXCHANGE = re.compile(r"\b(?:atomic_flag|compare_exchange_\w+|(?:atomic_)?fetch_(?:add|sub|and|or|xor)|"
                      r"__(?:atomic|sync)_\w+)\b|[.>]exchange\(")
TEST_FILE = re.compile(r"_(?:test|testing)\.[a-z]+$|(?:^|/)testing/|^(?:fuzz|stress|capi/tests)/")


def layer_of(path):
    """The layer that a path from the repository root lies in, or None."""
    folder, separator, _ = path.partition("/")
    return folder if separator and folder in LAYERS else None


def is_test(path):
    return TEST_FILE.search(path) is not None


def is_hosted(path):
    return layer_of(path) in HOSTED_LAYERS or path.startswith(HOSTED_FOLDERS) or is_test(path)


def is_probed(line):
    """Whether a header is included only where there is one."""
    return "__has_include" in line


def is_integrated(path, included):
    return any(path.startswith(folder) and included.startswith(headers)
               for folder, headers in INTEGRATED_HEADERS.items())


def broken_public_rule(path, included, probed, root):
    """Why `path` may not include the public header <included>, or None."""
    if LAYERS.index("capi") > LAYERS.index(layer_of(path)):
        return f"<{included}> belongs to capi/, and {layer_of(path)}/ stands before it"
    if not probed and not os.path.exists(os.path.join(root, PUBLIC_HEADERS, included)):
        return f"<{included}> does not exist in {PUBLIC_HEADERS}"
    return None


def broken_rule(path, included, root):
    """Why `path` may not include "included", or None."""
    layer = layer_of(path)
    folder, _, name = included.partition("/")
    if layer == "examples" and not name:
        # Examples are programs of their own, which are built outside of the repository as well.
        beside = os.path.join(os.path.dirname(path), included)
        return None if os.path.exists(os.path.join(root, beside)) else f'"{included}" does not exist'
    if folder == "modmem":
        if name not in GENERATED:
            return f'"{included}" is not a generated header'
        needed = GENERATED[name]
    else:
        needed = layer_of(included)
        if needed is None or ".." in included.split("/"):
            return f'"{included}" is not a path from the repository root into a layer'
        if not os.path.exists(os.path.join(root, included)):
            return f'"{included}" does not exist'
    if LAYERS.index(needed) > LAYERS.index(layer):
        return f'"{included}" belongs to {needed}/ or later, and {layer}/ stands before it'
    if included.startswith(HOST_PORTS) and not is_hosted(path):
        return f'"{included}" is of a host, which freestanding code does not know'
    if included.startswith(MACHINE_PORTS) and not path.startswith((*MACHINE_PORTS, "firmware/")):
        return f'"{included}" is of one machine, which only its port and firmware/ know'
    if is_test(included) and not is_test(path):
        return f'"{included}" is for tests only'
    return None


def check_file(path, root):
    """The broken rules of one file, as (line number, reason)."""
    before = ""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            probed, before = is_probed(before), line
            if not match:
                exchange = not is_hosted(path) and not path.startswith(MACHINE_PORTS) and EXCHANGE.search(line.partition("//")[0])
                if exchange:
                    yield number, f"{exchange[0]} is not to be had on every target, and " \
                                  f"{layer_of(path)}/ is freestanding"
                continue
            quoted, angled = match.groups()
            reason = None
            if quoted is not None:
                reason = broken_rule(path, quoted, root)
            elif angled.startswith(PUBLIC_FOLDERS):
                reason = broken_public_rule(path, angled, probed, root)
            elif not (is_hosted(path) or is_integrated(path, angled) or
                      angled in FREESTANDING_HEADERS):
                reason = f"<{angled}> is not a freestanding header, and {layer_of(path)}/ is " \
                         "freestanding"
            if reason:
                yield number, reason


def tracked_files(root):
    output = subprocess.run(["git", "-C", root, "ls-files", "-z", "--", *LAYERS], check=True,
                            capture_output=True, text=True).stdout
    return [path for path in output.split("\0") if path]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."),
                        help="the repository")
    parser.add_argument("files", nargs="*",
                        help="paths from the repository root; default: what git tracks")
    args = parser.parse_args(arguments)
    broken = 0
    for path in args.files or tracked_files(args.root):
        if layer_of(path) is None or not path.endswith(SUFFIXES):
            continue
        if not os.path.exists(os.path.join(args.root, path)):
            continue  # removed, but not from git's index yet
        for number, reason in check_file(path, args.root):
            print(f"{path}:{number}: {reason}")
            broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
