#!/usr/bin/python3
"""The table at the head of each test program of the C interface, of the contract's sentences and the
tests for them, names all tests of the program and no others."""

import glob
import os
import re
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
# A name in the right column: at the end of a line, and behind at least two spaces unless the left
# column leaves no room for them.
NAME = re.compile(r"^ \*.*\s{2,}([a-z0-9]+_[a-z0-9_]+)$")
WORD = re.compile(r"\w+")
TEST = re.compile(r"\bTEST\((\w+)\)")


class TablesTest(unittest.TestCase):
    def test_tables(self):
        programs = glob.glob(os.path.join(FOLDER, "*_test.c"))
        self.assertGreater(len(programs), 20)
        for program in programs:
            with self.subTest(program=os.path.basename(program)):
                with open(program, encoding="utf-8") as file:
                    text = file.read()
                head, _, body = text.partition("*/")
                tests = set(TEST.findall(body))
                self.assertGreater(len(tests), 0)
                named = {match.group(1) for match in map(NAME.match, head.splitlines()) if match}
                self.assertEqual(named - tests, set())
                self.assertEqual(tests - set(WORD.findall(head)), set())


if __name__ == "__main__":
    unittest.main()
