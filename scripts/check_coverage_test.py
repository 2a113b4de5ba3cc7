#!/usr/bin/python3
"""check_coverage.py finds lines that nobody reaches, branches that are too few, and idle exceptions."""

import os
import tempfile
import unittest

import check_coverage


def line(number, count, branches=()):
    return {"line_number": number, "count": count, "branches": [{"count": each} for each in branches]}


class CheckCoverageTest(unittest.TestCase):
    SOURCE = "int f(int x) {\n  if (x > 0) {\n    g();\n  }\n  return 1;\n}\n"

    def check(self, lines, exceptions=None, source=SOURCE):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "page"))
            with open(os.path.join(root, "page", "a.cpp"), "w", encoding="utf-8") as file:
                file.write(source)
            return check_coverage.check([{"file": "page/a.cpp", "lines": lines}], exceptions or {}, root)

    def test_all_is_reached(self):
        figures, wrong = self.check([line(1, 2), line(2, 2, (1, 1)), line(3, 1), line(5, 2)])
        self.assertEqual(wrong, [])
        each = figures["page"]
        self.assertEqual((each.lines, each.reached, each.excepted, each.branches, each.taken), (4, 4, 0, 2, 2))
        self.assertIn("100.0%", check_coverage.to_text(figures))

    def test_a_line_that_is_not_reached(self):
        _, wrong = self.check([line(1, 2), line(3, 0)])
        self.assertEqual(wrong, ["page/a.cpp:3: not reached: g();"])

    def test_an_exception(self):
        figures, wrong = self.check([line(1, 2), line(3, 0)], {"page/a.cpp": {"g();": "why"}})
        self.assertEqual(wrong, [])
        self.assertEqual((figures["page"].reached, figures["page"].excepted), (1, 1))

    def test_exceptions_that_are_none(self):
        for exceptions in ({"page/a.cpp": {"g();": "why"}}, {"page/a.cpp": {"h();": "why"}}, {"page/b.cpp": {}}):
            with self.subTest(exceptions):
                _, wrong = self.check([line(3, 1)], exceptions)
                self.assertEqual(len(wrong), 1, wrong)

    def test_too_few_branches(self):
        _, wrong = self.check([line(2, 2, [1] * 94 + [0] * 6)])
        self.assertEqual(wrong, ["page/: 94.0 % of branches, and 95 % have to be"])
        _, wrong = self.check([line(2, 2, [1] * 95 + [0] * 5)])
        self.assertEqual(wrong, [])

    def test_lines_that_decide_nothing(self):
        figures, _ = self.check([line(3, 1, (1, 0)), line(2, 1, (1, 0))])
        self.assertEqual((figures["page"].branches, figures["page"].taken), (2, 1))

    def test_functions_that_look_at_invariants(self):
        source = "bool A::check_list(int x) const {\n  if (x) {\n  }\n}\nbool B::other() {\n  if (x) {\n"
        figures, _ = self.check([line(2, 1, (1, 0)), line(6, 1, (1, 0))], source=source)
        self.assertEqual((figures["page"].branches, figures["page"].taken), (2, 1))

    def test_what_only_a_broken_library_reaches(self):
        source = ("bool A::check() const {\n  if (x) {\n    return false;\n  }\n  f();\n}\n"
                  "bool B::g() {\n  return false;\n")
        figures, wrong = self.check([line(1, 1), line(3, 0), line(5, 0), line(8, 0)], source=source)
        self.assertEqual(wrong, ["page/a.cpp:5: not reached: f();", "page/a.cpp:8: not reached: return false;"])
        self.assertEqual((figures["page"].reached, figures["page"].excepted), (1, 1))

    def test_what_is_no_code_does_not_count(self):
        figures, wrong = self.check([{**line(3, 0), "gcovr/noncode": True}, {**line(2, 0), "gcovr/excluded": True}])
        self.assertEqual((wrong, figures["page"].lines), ([], 0))


if __name__ == "__main__":
    unittest.main()
