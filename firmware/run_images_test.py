#!/usr/bin/python3
"""How run_images.py judges what images did."""

import unittest

import run_images

PASSED = "TAP version 13\nok 1 - elastic: a\n# figure 12\nok 2 - elastic: b\n1..2\n"


def fault(state="page not mapped", where="in heap careless of pipeline careless (id 0x7)",
          at="0x20001000", touched="0x20001000 of careless"):
    return (f"TAP version 13\n# touching {touched}\n"
            f"# trap: MemManage at pc 0x38a, address {at}, {state}, {where}\n")


class ReportTest(unittest.TestCase):
    def reason(self, text, status=0):
        return run_images.why_image_fails("riscv", "application", status, text)

    def test_a_report_without_failures_passes(self):
        self.assertIsNone(self.reason(PASSED))

    def test_failed_tests_are_named(self):
        self.assertEqual(self.reason(PASSED.replace("ok 2", "not ok 2"), 1), "failed tests: 2")

    def test_a_failed_status_fails(self):
        self.assertEqual(self.reason(PASSED, 4), "status 4")

    def test_a_report_without_an_end_fails(self):
        self.assertEqual(self.reason(PASSED.replace("1..2\n", "")), "its report has no end")
        self.assertEqual(self.reason(""), "its report has no end")

    def test_missing_and_repeated_tests_fail(self):
        self.assertEqual(self.reason(PASSED.replace("1..2", "1..3")), "2 of 3 tests are in its report")
        self.assertIsNotNone(self.reason(PASSED.replace("ok 2", "ok 1")))
        self.assertIsNotNone(self.reason("TAP version 13\n1..0\n"))


class FaultTest(unittest.TestCase):
    def reason(self, text, status=run_images.TRAPPED, name="fault_freed_memory", target="riscv"):
        return run_images.why_image_fails(target, name, status, text)

    def test_a_trap_at_the_address_that_names_the_owner_passes(self):
        self.assertIsNone(self.reason(fault()))
        self.assertIsNone(self.reason(fault("page closed, as its domain is not entered"),
                                      name="fault_other_owner"))

    def test_without_an_mmu_banks_are_told_from_pages(self):
        last = "last in heap careless of pipeline careless (id 0x7)"
        freed = fault(where=last)
        off = fault("page not mapped, its bank off", last)
        for text, name, passes in ((freed, "fault_freed_memory", True), (off, "fault_bank_off", True),
                                   (freed, "fault_bank_off", False),
                                   (off, "fault_freed_memory", False)):
            self.assertEqual(self.reason(text, name=name, target="cortex-m") is None, passes)

    def test_no_trap_fails(self):
        self.assertIn("no trap", self.reason(PASSED))
        self.assertIn("no trap", self.reason(fault(), status=0))

    def test_another_address_fails(self):
        self.assertIn("0x20001004", self.reason(fault(at="0x20001004")))

    def test_another_owner_fails(self):
        self.assertIn("name careless", self.reason(fault(where="in heap b of pipeline b (id 0x8)")))
        self.assertIn("name careful", self.reason(fault(touched="0x20001000 of careful")))

    def test_another_reason_fails(self):
        self.assertIn("page closed", self.reason(fault(), name="fault_other_owner"))

    def test_what_is_nobodys_is_in_no_heap(self):
        trap = "# touching 0x10 of nobody\n# trap: MemManage at pc 0x1, address 0x10, in no heap\n"
        self.assertIsNone(self.reason(trap, name="fault_unmapped_page"))
        self.assertIsNotNone(self.reason(fault(touched="0x20001000 of nobody")))


if __name__ == "__main__":
    unittest.main()
