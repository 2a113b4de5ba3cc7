#!/usr/bin/python3
"""docs/regressions.md names tests that there are, and all that are named after a past mistake."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path("capi/tests/needs")
SCENARIOS = [*(str(number) for number in range(1, 37)), *(f"L{number}" for number in range(1, 8))]


def rows():
    """(number, names of tests, paths of files) of the rows of the tables; a row without a number has
    that of the row above it."""
    number = None
    for line in (ROOT / "docs" / "regressions.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[3].startswith("`"):
            number = cells[0] or number
            yield (number, re.findall(r"`(\w+)`", cells[2]),
                   [path if "/" in path else str(HERE / path)
                    for path in re.findall(r"`([^`]+)`", cells[3])])


class RegressionsTest(unittest.TestCase):
    def test_tests_are_where_they_are_said_to_be(self):
        for number, names, paths in rows():
            text = "".join((ROOT / path).read_text(encoding="utf-8") for path in paths)
            for name in names:
                with self.subTest(number=number, name=name):
                    self.assertRegex(text, rf"\b{name}\b")

    def test_every_number_has_a_test_of_its_name(self):
        named = {}
        for number, names, _ in rows():
            named.setdefault(number, []).extend(names)
        self.assertEqual(sorted(named), sorted(SCENARIOS))
        for number, names in named.items():
            prefix = number.lower() if number[0] == "L" else f"s{int(number):02}"
            self.assertTrue(any(name.startswith(f"{prefix}_") for name in names), number)

    def test_every_test_of_a_number_is_listed(self):
        listed = {name for _, names, _ in rows() for name in names}
        for path in (ROOT / HERE).glob("*_test.c*"):
            for name in re.findall(r"\b(?:s\d\d|l\d)_\w+(?=\()", path.read_text(encoding="utf-8")):
                self.assertIn(name, listed | {"l3_heap_save"}, path.name)


if __name__ == "__main__":
    unittest.main()
