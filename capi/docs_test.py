#!/usr/bin/python3
"""docs/c-api.md names every function of the public headers and no other, and what it shows is what
happens: its programs compile without a warning and print what is printed below them.

    docs_test.py LIBRARY INCLUDE_FOLDER... [-- unittest's arguments]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "c-api.md"
HELLO = ROOT / "examples" / "c" / "hello.c"
FIRMWARE = ROOT / "examples" / "firmware" / "boot.cpp"
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")

# What a framework has around these headers, or a program asks for: each way to compile them may
# declare something else.
VARIANTS = ((), ("-DMODMEM_SOF_API=2025",), ("-DMAILBOX_DSPBOX_SIZE=256",),
            ("-DCONFIG_MODULE_MEMORY_API_DEBUG=1",))

# Flags, variables of the environment, and enumerators.
SETTING = re.compile(r"\b(?:SOF_MEM_FLAG_[A-Z0-9_]*[A-Z0-9]|MODMEM_(?:HOST|POLICY|PLATFORM|LOG|FAULT)|"
                     r"MODMEM_FAULT_(?!DEFAULT)[A-Z_]*[A-Z])\b")

library = ""
includes = []


def headers():
    return sorted(str(path.relative_to(folder)) for folder in includes
                  for path in pathlib.Path(folder).rglob("*.h"))


def include_flags():
    return [word for folder in includes for word in ("-I", folder)]


def declared():
    """The functions that the headers declare, inline ones and macros among them."""
    names = set()
    everything = "".join(f"#include <{header}>\n" for header in headers())
    with tempfile.TemporaryDirectory() as folder:
        listing = pathlib.Path(folder, "prototypes")
        for variant in VARIANTS:
            subprocess.run(["gcc", "-x", "c", "-std=c11", "-fsyntax-only", "-aux-info", listing,
                            *variant, *include_flags(), "-"], input=everything, text=True,
                           check=True)
            for line in listing.read_text(encoding="utf-8").splitlines():
                found = re.match(r"/\* (.*?):\d+:\w+ \*/ .*?\b(\w+) \(", line)
                if found and found[1].startswith(tuple(includes)):
                    names.add(found[2])
    for folder in includes:
        for path in pathlib.Path(folder).rglob("*.h"):
            names |= set(re.findall(r"^#define (\w+)\(", path.read_text(encoding="utf-8"),
                                    re.MULTILINE))
    return names - {"BIT"}


def documented():
    """The functions of the first columns of the tables of functions."""
    names = set()
    in_table = False
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        in_table = line.startswith("| function | effect |") or in_table and line.startswith("|")
        if in_table:
            names |= set(re.findall(r"`(\w+)\(", line.split(" | ")[0]))
    return names


def blocks():
    """(source, what is shown below it or None) of the blocks in C."""
    return [(found[1], found[2]) for found in re.finditer(
        r"^```c\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", DOCS.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE)]


def anonymous(text):
    """The text with what differs between runs and builds replaced: addresses, places in a program,
    and what the library's own tables leave free."""
    for pattern, name in ((r"prog\+0x[0-9a-f]+", "PLACE"), (r"0x[0-9a-f]{7,}", "ADDRESS"),
                          (r"free \d+ bytes", "FREE")):
        text = re.sub(pattern, name, text)
    return text


class DocsTest(unittest.TestCase):
    def test_every_function_is_documented(self):
        self.assertEqual(sorted(declared() - documented()), [])

    def test_every_documented_function_exists(self):
        self.assertEqual(sorted(documented() - declared()), [])

    def test_every_flag_and_setting_is_documented(self):
        text = DOCS.read_text(encoding="utf-8")
        names = set()
        for folder in includes:
            for path in pathlib.Path(folder).rglob("*.h"):
                names |= set(SETTING.findall(path.read_text(encoding="utf-8")))
        self.assertIn("SOF_MEM_FLAG_DMA", names)
        self.assertEqual(sorted(name for name in names if f"`{name}`" not in text), [])

    def compile(self, source, *arguments):
        result = subprocess.run(["gcc", *WARNINGS, *include_flags(), "-x", "c", "-", *arguments],
                                input=source, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_code_compiles(self):
        for source, _ in blocks():
            with self.subTest(source=source):
                self.compile(source, "-c", "-o", os.devnull)

    def test_programs_print_what_is_shown(self):
        programs = [block for block in blocks() if "int main(" in block[0]]
        self.assertGreater(len(programs), 1)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("MODMEM_")}
        for source, output in programs:
            with self.subTest(source=source), tempfile.TemporaryDirectory() as folder:
                program = os.path.join(folder, "prog")
                self.compile(source, "-x", "none", library,
                             f"-Wl,-rpath,{os.path.dirname(library)}", "-o", program)
                result = subprocess.run([program], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, check=False,
                                        env=environment)
                self.assertEqual(result.returncode, 0, result.stdout)
                if output is not None:
                    self.assertEqual(anonymous(result.stdout), anonymous(output))

    def test_shows_the_example_as_it_is(self):
        hello = HELLO.read_text(encoding="utf-8")
        self.assertLessEqual(len(hello.splitlines()), 20)
        for path in (DOCS, ROOT / "README.md"):
            self.assertTrue(f"```c\n{hello}```\n" in path.read_text(encoding="utf-8"), path)

    def test_shows_lines_of_the_firmware_example(self):
        source = FIRMWARE.read_text(encoding="utf-8")
        shown = re.findall(r"^```cpp\n(.*?)^```$", DOCS.read_text(encoding="utf-8"),
                           re.DOTALL | re.MULTILINE)
        self.assertEqual(len(shown), 1)
        for part in shown[0].split("\n\n"):
            lines = part.rstrip()
            self.assertTrue(lines in source or textwrap.indent(lines, "  ") in source, part)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    rest = []
    if "--" in arguments:
        rest = arguments[arguments.index("--") + 1:]
        arguments = arguments[:arguments.index("--")]
    library, includes = arguments[0], arguments[1:]
    unittest.main(argv=[sys.argv[0], *rest])
