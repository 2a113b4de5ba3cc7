#!/usr/bin/python3
"""Tests of the containers example: it runs, and README.md shows it as it is.

    containers_test.py PROGRAM [unittest's arguments]
"""

import pathlib
import re
import subprocess
import sys
import textwrap
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
README = FOLDER.parent.parent / "README.md"

program = ""


def section():
    """What README.md has about containers."""
    text = README.read_text(encoding="utf-8")
    start = text.index("### Containers and strings\n")
    return text[start:text.index("\n#", start)]


def blocks(language):
    """The code blocks of that section that are marked as `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(), re.DOTALL | re.MULTILINE)


class ContainersTest(unittest.TestCase):
    def test_prints_what_the_documentation_says(self):
        result = subprocess.run([program], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(blocks("text"), [result.stdout])

    def test_consists_of_the_lines_in_the_documentation(self):
        source = (FOLDER / "containers.cpp").read_text(encoding="utf-8")
        shown = blocks("cpp")
        self.assertEqual(len(shown), 1)
        for part in shown[0].split("\n\n"):
            at_any_depth = [textwrap.indent(part.rstrip(), " " * depth) for depth in (0, 2, 4)]
            self.assertTrue(any(lines in source for lines in at_any_depth), part)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    unittest.main()
