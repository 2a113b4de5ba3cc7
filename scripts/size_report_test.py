#!/usr/bin/python3
"""Tests of size_report.py, on made-up maps of the linker and made-up figures."""

import contextlib
import copy
import io
import json
import os
import tempfile
import unittest

import size_report

MAP = """
Discarded input sections

 .text._ZN6modmem9PagePool5checkEv
                0x00000000      0x100 page/libmodmem_page.a(page_pool.cpp.obj)

Memory Configuration

Linker script and memory map

LOAD page/libmodmem_page.a

.text           0x00010000      0x1f6
 *(.text .text.* .literal .literal.*)
 .text          0x00010000        0x0 page/libmodmem_page.a(page_pool.cpp.obj)
 .text._ZN6modmem5sizes6anchorEv
                0x00010000       0x30 firmware/sizes/CMakeFiles/size_x.dir/x.cpp.obj
                0x00010000                modmem::sizes::anchor()
 .text._ZN6modmem4Heap4freeEPv
                0x00010030        0x8 firmware/sizes/CMakeFiles/size_x.dir/x.cpp.obj
 .text._ZN6modmem12check_failedEPKcS1_i
                0x00010038        0x4 firmware/sizes/CMakeFiles/size_x.dir/support.cpp.obj
 .text.memcpy   0x0001003c       0x10 firmware/memory_functions.cpp.obj
 .text._ZN6modmem9PagePool4takeEv
                0x0001004c       0x64 page/libmodmem_page.a(page_pool.cpp.obj)
 *fill*         0x000100b0        0x4
 .text._ZN6modmem11ElasticHeap4openEv
                0x000100b4       0xc8 heap/libmodmem_heap.a(elastic_heap.cpp.obj)
 .text.__udivdi3
                0x0001017c       0x20 port/xtensa/libmodmem_port_xtensa.a(arithmetic.cpp.obj)
 .text          0x0001019c       0x40 /usr/lib/gcc/libgcc.a(_popcountsi2.o)

.rodata         0x000101f6       0x14
 .rodata._ZTVN6modmem11ElasticHeapE
                0x000101f6       0x14 heap/libmodmem_heap.a(elastic_heap.cpp.obj)

.data           0x00010210        0x4
 .data.rel      0x00010210        0x4 capi/libmodmem_capi.a(report.cpp.obj)

.bss            0x00010220       0x28
 .bss._ZN6modmem5sizes12_GLOBAL__N_16objectE
                0x00010220       0x20 firmware/sizes/CMakeFiles/size_x.dir/x.cpp.obj
 .bss           0x00010240        0x8 capi/libmodmem_capi.a(report.cpp.obj)

/DISCARD/
 .eh_frame      0x00000000       0x80 heap/libmodmem_heap.a(elastic_heap.cpp.obj)

.debug_info     0x00000000      0x999
 .debug_info    0x00000000      0x999 heap/libmodmem_heap.a(elastic_heap.cpp.obj)
"""
TEMPLATE = "# Size\n\n@goals@\n\n@machine cortex-m@\n\n@machine riscv@\n\n@machine xtensa@\n\n@parts@\n\nThe end.\n"


def figures(text=1000, data=0, bss=100, arithmetic=10):
    return {"text": text, "data": data, "bss": bss, "arithmetic": arithmetic, "parts": {"heap": text}}


def machine(**numbers):
    return {feature.key: figures(**numbers) for feature in size_report.FEATURES}


class MapTest(unittest.TestCase):
    def test_what_is_counted(self):
        found = size_report.measure(MAP)
        self.assertEqual(found["text"], 0x8 + 0x64 + 0xc8 + 0x14)
        self.assertEqual(found["data"], 4)
        self.assertEqual(found["bss"], 0x28)
        self.assertEqual(found["arithmetic"], 0x60)
        self.assertEqual(found["parts"], {"heap": 0xc8 + 0x14, "inline": 8, "page": 0x64})

    def test_what_the_linker_dropped_is_not_counted(self):
        self.assertEqual(size_report.measure(MAP.replace("0x100 page", "0x9999 page")), size_report.measure(MAP))

    def test_no_map(self):
        with self.assertRaisesRegex(size_report.SizeError, "no map"):
            size_report.measure("nothing")

    def test_a_map_without_the_library(self):
        with self.assertRaisesRegex(size_report.SizeError, "nothing of the library"):
            size_report.measure("Linker script and memory map\n\n.text 0x0 0x0\n")


class RootsTest(unittest.TestCase):
    def test_only_functions_with_c_names(self):
        symbols = ("\nalloc.cpp.obj:\n00000000 T rmalloc\n00000000 T _ZN6modmem5adoptEv\n"
                   "00000000 t helper\n00000000 D table\n00000000 W inline\n00000000 T rfree\n")
        self.assertEqual(size_report.c_functions(symbols), ["rfree", "rmalloc"])


class CompareTest(unittest.TestCase):
    def compare(self, now, before):
        return size_report.compare({"riscv": {"memory": now}}, {"riscv": {"memory": before}})

    def test_the_same(self):
        self.assertEqual(self.compare(figures(), figures()), ([], []))

    def test_five_percent_are_let_through(self):
        self.assertEqual(self.compare(figures(text=1050), figures()), ([], []))

    def test_a_byte_more_is_not(self):
        wrong, _ = self.compare(figures(text=1051), figures())
        self.assertEqual(wrong, ["riscv memory: text grew by 5.1%, from 1,000 to 1,051 bytes"])

    def test_each_kind(self):
        for kind in size_report.KINDS:
            wrong, _ = self.compare(figures(**{kind: 2000}), figures())
            self.assertEqual(len(wrong), 1)
            self.assertIn(f" {kind} grew ", wrong[0])

    def test_something_where_nothing_was(self):
        wrong, _ = self.compare(figures(data=4), figures())
        self.assertEqual(wrong, ["riscv memory: data grew from nothing, from 0 to 4 bytes"])

    def test_what_became_smaller_is_noted(self):
        wrong, notes = self.compare(figures(text=900), figures())
        self.assertEqual(wrong, [])
        self.assertIn("riscv memory: text is 900 bytes, 1,000 in", notes[0])

    def test_a_feature_that_is_not_known(self):
        wrong, _ = size_report.compare({"riscv": {"memory": figures()}}, {"riscv": {}})
        self.assertIn("riscv memory: not in", wrong[0])


class PageTest(unittest.TestCase):
    def test_tables_in_their_places(self):
        known = {name: machine() for name in size_report.MACHINES}
        known["cortex-m"]["elastic_heap"] = figures(text=8192)
        page = size_report.make_page(TEMPLATE, known)
        self.assertNotIn("@", page)
        self.assertTrue(page.endswith("\n\nThe end.\n"))
        self.assertIn("| 4,096 | 8,192 | **no**: 2.0 times the goal |", page)
        self.assertIn("| 16,384 | 1,000 | yes |", page)
        self.assertIn("| ElasticHeap with its pool | 8,192 | 0 | 100 | 10 | +7,192 to PagePool |", page)


class ProgramTest(unittest.TestCase):
    """write and check, on a repository that has only what they read."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for path in ("firmware/sizes", "docs"):
            os.makedirs(os.path.join(self.root, path))
        with open(os.path.join(self.root, size_report.TEMPLATE), "w", encoding="utf-8") as file:
            file.write(TEMPLATE)
        for name in size_report.MACHINES:
            self.put_maps(name, MAP)

    def put_maps(self, name, text):
        for feature in size_report.FEATURES:
            folder = os.path.join(self.root, "build", name + feature.folder, "firmware", "sizes")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, feature.anchor + ".map"), "w", encoding="utf-8") as file:
                file.write(text)

    def run_quietly(self, function, *machines):
        """(exit status, what was said on the error stream)."""
        errors = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                function(list(machines or size_report.MACHINES), self.root)
            except SystemExit as end:
                return end.code, errors.getvalue()
        return 0, errors.getvalue()

    def kept(self):
        with open(os.path.join(self.root, size_report.FIGURES), encoding="utf-8") as file:
            return json.load(file)

    def test_what_was_written_is_good(self):
        self.run_quietly(size_report.write)
        self.assertEqual(self.run_quietly(size_report.check), (0, ""))
        with open(os.path.join(self.root, size_report.PAGE), encoding="utf-8") as file:
            self.assertIn("PagePool", file.read())

    def test_growth_is_refused_and_says_how_to_accept_it(self):
        self.run_quietly(size_report.write)
        self.put_maps("riscv", MAP.replace("0xc8 heap", "0x1c8 heap"))
        status, errors = self.run_quietly(size_report.check)
        self.assertEqual(status, 1)
        self.assertIn("riscv elastic_heap: text grew by", errors)
        self.assertIn("`make size`", errors)
        self.assertNotIn("xtensa", errors)
        self.assertEqual(self.run_quietly(size_report.check, "xtensa"), (0, ""))
        self.run_quietly(size_report.write)
        self.assertEqual(self.run_quietly(size_report.check), (0, ""))

    def test_one_machine_keeps_the_figures_of_others(self):
        self.run_quietly(size_report.write)
        before = copy.deepcopy(self.kept())
        self.put_maps("riscv", MAP.replace("0xc8 heap", "0xc9 heap"))
        self.put_maps("xtensa", MAP.replace("0xc8 heap", "0xc9 heap"))
        self.run_quietly(size_report.write, "riscv")
        self.assertNotEqual(self.kept()["riscv"], before["riscv"])
        self.assertEqual(self.kept()["xtensa"], before["xtensa"])

    def test_the_first_figures_are_of_all_machines(self):
        with self.assertRaisesRegex(size_report.SizeError, "nothing of cortex-m, xtensa"):
            size_report.write(["riscv"], self.root)

    def test_a_map_that_is_missing(self):
        os.remove(os.path.join(self.root, "build/riscv-hardened/firmware/sizes/c_api.map"))
        with self.assertRaisesRegex(size_report.SizeError, "riscv-hardened/.*c_api.map: No such file"):
            size_report.check(["riscv"], self.root)


if __name__ == "__main__":
    unittest.main()
