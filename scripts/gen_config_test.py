#!/usr/bin/python3
"""Tests of gen_config.py, on this repository's Kconfig."""

import contextlib
import io
import os
import re
import shutil
import tempfile
import unittest

import gen_config

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
KCONFIG = os.path.join(ROOT, "Kconfig")
CONFIGS = os.path.join(ROOT, "configs")


class GenConfigTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.configs = os.path.join(self.folder, "configs")
        shutil.copytree(CONFIGS, self.configs)
        self.out = os.path.join(self.folder, "out")

    def generate(self, config, *options):
        """Runs the generator; returns its exit status and what it wrote to stderr."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            status = gen_config.main(["--kconfig", KCONFIG, "--configs", self.configs,
                                      "--config", config, "--out", self.out, *options])
        return status, errors.getvalue()

    def header(self, name):
        with open(os.path.join(self.out, name), encoding="utf-8") as file:
            return file.read()

    def write(self, content, name="bad"):
        with open(os.path.join(self.configs, f"{name}_defconfig"), "w", encoding="utf-8") as file:
            file.write(content)

    def assert_refused(self, content, *parts):
        """A defconfig of this content ends with one line that has all the parts."""
        self.write(content)
        status, errors = self.generate("bad")
        self.assertEqual(status, 1)
        self.assertEqual(errors.count("\n"), 1, errors)
        for part in ("bad_defconfig", *parts):
            self.assertIn(part, errors)
        self.assertFalse(os.path.exists(self.out), "nothing is written for a bad configuration")

    def test_host_is_the_default_platform(self):
        self.assertEqual(self.generate("host"), (0, ""))
        presets = self.header("presets.hpp")
        default, mtl = re.findall(r'\.name = "mtl",\n(.*?)\n}', presets, re.S)
        self.assertEqual(default, mtl)

    def test_values_reach_both_headers(self):
        self.assertEqual(self.generate("ptl"), (0, ""))
        cpp = self.header("config.hpp")
        self.assertIn("inline constexpr std::size_t kPageBytes = 4096;", cpp)
        self.assertIn("inline constexpr std::size_t kSramBytes = 4718592;", cpp)
        self.assertIn("inline constexpr std::uint32_t kCores = 5;", cpp)
        self.assertIn('inline constexpr const char* kPolicy = "elastic";', cpp)
        c = self.header("config.h")
        self.assertIn("#define MODMEM_CONFIG_SRAM_BYTES 4718592\n", c)
        self.assertIn("#define MODMEM_CONFIG_HAS_MMU 1\n", c)
        self.assertIn('#define MODMEM_CONFIG_POLICY "elastic"\n', c)

    def test_presets_are_the_platforms(self):
        self.generate("host")
        names = re.findall(r"\.name = \"(\w+)\"", self.header("presets.hpp").split("kPresets")[1])
        self.assertEqual(names, ["lnl", "mcu", "mtl", "ptl", "tgl", "wcl"])

    def test_a_new_platform_becomes_a_preset(self):
        self.write('CONFIG_PLATFORM="nvl"\nCONFIG_CORES=4\n', "nvl")
        self.assertEqual(self.generate("host"), (0, ""))
        self.assertIn('.name = "nvl"', self.header("presets.hpp"))

    def test_platform_without_mmu_has_no_window(self):
        self.generate("mcu")
        self.assertIn("#define MODMEM_CONFIG_WINDOW_BYTES 0\n", self.header("config.h"))
        self.assertIn("#define MODMEM_CONFIG_HAS_MMU 0\n", self.header("config.h"))

    def test_policy_is_a_choice(self):
        for policy in ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all"):
            option = policy.upper().replace("-", "_")
            self.write(f"CONFIG_POLICY_{option}=y\n", "one")
            self.assertEqual(self.generate("one"), (0, ""))
            self.assertIn(f'#define MODMEM_CONFIG_POLICY "{policy}"\n', self.header("config.h"))
            self.assertIn(f'.policy = "{policy}"', self.header("presets.hpp"))

    def test_slots_need_an_mmu(self):
        self.write("# CONFIG_HAS_MMU is not set\nCONFIG_POLICY_SLOTS=y\n", "one")
        status, error = self.generate("one")
        self.assertEqual(status, 1)
        self.assertIn("POLICY_SLOTS: depends on HAS_MMU", error)

    def test_override(self):
        self.assertEqual(self.generate("host", "--set", "CHECKS_LEVEL=2"), (0, ""))
        self.assertIn("kChecksLevel = 2;", self.header("config.hpp"))
        self.assertEqual(self.generate("host", "--set", "CHECKS_LEVEL=3")[0], 1)
        self.assertEqual(self.generate("host", "--set", "NONSENSE=3")[0], 1)

    def fragment(self, content):
        path = os.path.join(self.folder, "fragment.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def test_fragments_come_on_top(self):
        path = self.fragment('# A comment.\nCONFIG_POLICY_SLOTS=y\nCONFIG_SLOT_BUNDLES="64x64 4096x2"\n'
                             'CONFIG_ARENA_BYTES=0x80000\n')
        self.assertEqual(self.generate("host", "--fragment", path), (0, ""))
        cpp = self.header("config.hpp")
        self.assertIn('kSlotBundles = "64x64 4096x2";', cpp)
        self.assertIn("kArenaBytes = 524288;", cpp)  # the defconfig says otherwise
        self.assertIn('kPolicy = "slots";', cpp)
        self.assertIn('kPlatform = "mtl";', cpp)
        # Another one on top of it, and of its policy.
        other = os.path.join(self.folder, "other.conf")
        with open(other, "w", encoding="utf-8") as file:
            file.write("CONFIG_POLICY_SINGLE=y\n")
        self.assertEqual(self.generate("host", "--fragment", path, "--fragment", other), (0, ""))
        self.assertIn('kPolicy = "single";', self.header("config.hpp"))

    def test_faults_of_fragments_are_theirs(self):
        for content, reason in (("CONFIG_NOTHING=1\n", ":1: NOTHING: no such option"),
                                ("\nCONFIG_CORES=99\n", ":2: CORES: 99 is out of range"),
                                ("x\n", ":1: not an assignment"),
                                ("a\tb\x1b[2J\n", r":1: not an assignment: a\tb\x1b[2J"),
                                ('CONFIG_SLOT_BUNDLES="64x3"\n', ":1: SLOT_BUNDLES: 64x3 is not a")):
            path = self.fragment(content)
            status, errors = self.generate("host", "--fragment", path)
            self.assertEqual((status, errors.count("\n")), (1, 1))
            self.assertIn(path + reason, errors)
        self.assertIn("No such file", self.generate("host", "--fragment", path + "x")[1])

    def test_refuses_what_is_no_table_of_slots(self):
        for table, reason in (("", '"" is not SIZExCOUNT'), ("64", '"64" is not SIZExCOUNT'),
                              ("64x64  64x64", '"" is not SIZExCOUNT'),
                              ("64x64,128x32", "is not SIZExCOUNT"), ("64x0", '"64x0" is not'),
                              ("96x128", "96 is not a power of two"),
                              ("4x1024", "4 is less than half a granule"),
                              ("64x63", "64x63 is not a multiple of PAGE_BYTES (4096)"),
                              (f"4096x{1 << 31}", "is not SIZExCOUNT"),
                              (" ".join(["4096x1"] * 11), "11 sizes are more than 10")):
            self.assert_refused(f'CONFIG_SLOT_BUNDLES="{table}"\n', f":1: SLOT_BUNDLES: {reason}"
                                if not reason.startswith("is") else reason)

    def test_the_default_table_goes_with_other_pages(self):
        self.write("CONFIG_PAGE_BYTES=65536\nCONFIG_METADATA_BYTES=0x10000\n", "one")
        status, errors = self.generate("one")
        self.assertNotIn("SLOT_BUNDLES", errors)

    def test_unchanged_headers_are_left_alone(self):
        self.generate("host")
        path = os.path.join(self.out, "config.hpp")
        os.utime(path, (1, 1))
        self.generate("host")
        self.assertEqual(os.stat(path).st_mtime, 1)
        self.generate("lnl")
        self.assertNotEqual(os.stat(path).st_mtime, 1)

    def test_missing_file(self):
        status, errors = self.generate("nowhere")
        self.assertEqual(status, 1)
        self.assertIn("nowhere_defconfig: No such file", errors)

    def test_refuses_not_text(self):
        with open(os.path.join(self.configs, "bad_defconfig"), "wb") as file:
            file.write(b"\xff\xfe\x00")
        self.assertIn("not a text file", self.generate("bad")[1])

    def test_refuses_unknown_option(self):
        self.assert_refused("CONFIG_PAGE_SIZE=4096\n", ":1: PAGE_SIZE: no such option")

    def test_refuses_what_is_no_assignment(self):
        self.assert_refused("CONFIG_CORES=2\nPAGE_BYTES=4096\n", ":2: not an assignment")

    def test_refuses_second_assignment(self):
        self.assert_refused("CONFIG_CORES=2\nCONFIG_CORES=3\n", ":2: CORES: assigned before")

    def test_refuses_out_of_range(self):
        self.assert_refused("CONFIG_CORES=17\n", ":1: CORES: 17 is out of range [1, 16]")
        self.assert_refused("CONFIG_PAGE_BYTES=512\n", "PAGE_BYTES: 512 is out of range")

    def test_refuses_wrong_kind(self):
        self.assert_refused("CONFIG_CORES=many\n", "CORES: many is not a decimal number")
        self.assert_refused("CONFIG_SRAM_BYTES=0xzz\n", "SRAM_BYTES: 0xzz is not a hexadecimal")
        self.assert_refused("CONFIG_HAS_MMU=2\n", "HAS_MMU: 2 is not a value")
        self.assert_refused("CONFIG_PLATFORM=mtl\n", "PLATFORM: mtl is not a value")

    def test_refuses_unmet_dependency(self):
        self.assert_refused("# CONFIG_HAS_MMU is not set\nCONFIG_WINDOW_BYTES=0x800000\n",
                            ":2: WINDOW_BYTES: depends on HAS_MMU")

    def test_refuses_what_is_derived(self):
        self.assert_refused('CONFIG_POLICY="none"\n', "POLICY: cannot be assigned")

    def test_refuses_what_is_no_power_of_two(self):
        self.assert_refused("CONFIG_BANK_BYTES=0x2c000\n", "BANK_BYTES: 180224 is not a power")
        self.assert_refused("CONFIG_PAGE_BYTES=5000\n", "PAGE_BYTES: 5000 is not a power of two")

    def test_refuses_part_of_a_page_or_bank(self):
        self.assert_refused("CONFIG_RESERVE_BYTES=0x100800\n", "RESERVE_BYTES: 0x100800 is not a")
        self.assert_refused("CONFIG_SRAM_BYTES=0x2d0000\n", "SRAM_BYTES: 0x2d0000 is not a")

    def test_refuses_what_leaves_no_pool(self):
        self.assert_refused("CONFIG_RESERVE_BYTES=0x2c0000\n", "RESERVE_BYTES: 0x2c0000 leaves no")

    def test_refuses_more_than_it_is_part_of(self):
        self.assert_refused("CONFIG_ARENA_BYTES=0x1c1000\n", "ARENA_BYTES: 0x1c1000 is more than")
        self.assert_refused("CONFIG_WINDOW_BYTES=0x20000\n", "SPAN_BYTES: 0x40000 is more than")
        self.assert_refused("CONFIG_CACHE_LINE_BYTES=8\n", "GRANULE_BYTES: 0x10 is more than")

    def test_refuses_more_pages_than_can_be_numbered(self):
        self.assert_refused("CONFIG_PAGE_BYTES=1024\nCONFIG_WINDOW_BYTES=0x8000000\n",
                            "WINDOW_BYTES: 0x8000000 is more than 65534 pages")

    def test_refuses_metadata_that_has_no_names(self):
        self.assert_refused("CONFIG_METADATA_BYTES=0x8008\n",
                            "METADATA_BYTES: 0x8008 is not a multiple of GRANULE_BYTES (16)")
        self.assert_refused("CONFIG_METADATA_BYTES=0xff010\n",
                            "METADATA_BYTES: 0xff010 is more than names of 16 bits reach (0xff000)")
        self.assert_refused("CONFIG_PAGE_BYTES=65536\nCONFIG_METADATA_BYTES=0xff000\n",
                            "METADATA_BYTES: 0xff000 is more than names of 16 bits reach (0xf0000)")

    def test_refuses_platform_name_that_is_none(self):
        self.assert_refused('CONFIG_PLATFORM="Meteor Lake"\n', 'PLATFORM: "Meteor Lake" is not a')

    def test_refuses_bad_preset_of_another_platform(self):
        self.write('CONFIG_PLATFORM="bad"\nCONFIG_CORES=0\n')
        status, errors = self.generate("host")
        self.assertEqual(status, 1)
        self.assertIn("bad_defconfig:2: CORES: 0 is out of range", errors)


if __name__ == "__main__":
    unittest.main()
