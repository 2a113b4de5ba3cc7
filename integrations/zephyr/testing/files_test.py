#!/usr/bin/python3
"""Tests of what Zephyr reads of modmem: module.yml, Kconfig, CMakeLists.txt and the binding.

usage: files_test.py BINARY_FOLDER

BINARY_FOLDER has, for each of mmu and array, what CMakeLists.txt made of that configuration.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.dirname(HERE)
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path[:0] = [HERE, FOLDER]

import configure  # noqa: E402  (needs the path)
import gen_config  # noqa: E402  (configure's)
import kconfiglib  # noqa: E402
import make_config  # noqa: E402

# <zephyr/cache.h> has these functions: include/rtos/cache.h.
LEFT_OUT = {"capi/cache.cpp"}
LAYERS = ("base", "port", "page", "record", "heap", "memory", "module", "capi")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def layer_sources():
    """The sources of the freestanding libraries, as the layers' own CMakeLists.txt have them."""
    sources = set()
    for layer in LAYERS:
        text = re.sub(r"#.*", "", read(ROOT, layer, "CMakeLists.txt"))
        for library in re.findall(r"modmem_freestanding_library\(([^)]*)\)", text):
            words = library.split()
            if "SOURCES" in words:
                words = words[words.index("SOURCES") + 1:]
                end = words.index("DEPS") if "DEPS" in words else len(words)
                sources |= {f"{layer}/{word}" for word in words[:end]}
    return sources


def named_sources(text, condition):
    """The sources that CMakeLists.txt gives to zephyr_library_sources() and its kin."""
    calls = re.findall(r"zephyr_library_sources(_ifdef)?\(([^)]*)\)", re.sub(r"#.*", "", text))
    return [word for ifdef, words in calls if bool(ifdef) == condition
            for word in words.split()[1 if ifdef else 0:]]


class ModuleTest(unittest.TestCase):
    def test_module_yml(self):
        # Nothing but mappings and plain values, so that no parser of YAML is needed.
        found, path = {}, []
        for line in read(ROOT, "zephyr", "module.yml").splitlines():
            match = re.fullmatch(r"( *)([a-z_]+):(?: (\S+))?", line)
            self.assertTrue(match or line.startswith("#"), line)
            if match:
                self.assertEqual(len(match[1]) % 2, 0)
                path[len(match[1]) // 2:] = [match[2]]
                if match[3]:
                    found["/".join(path)] = match[3]
        self.assertEqual(found.pop("name"), "modmem")
        self.assertEqual(set(found), {"build/cmake", "build/kconfig", "build/settings/dts_root"})
        cmake = os.path.join(ROOT, found["build/cmake"], "CMakeLists.txt")
        self.assertIn("zephyr_library_named(modmem)", read(cmake))
        self.assertIn("menuconfig MODMEM\n", read(ROOT, found["build/kconfig"]))
        bindings = os.path.join(ROOT, found["build/settings/dts_root"], "dts", "bindings")
        self.assertIn("modmem,pool.yaml", os.listdir(bindings))
        self.assertRegex(read(bindings, "vendor-prefixes.txt"), r"(?m)^modmem\t\S")


class SourcesTest(unittest.TestCase):
    def setUp(self):
        self.text = read(FOLDER, "CMakeLists.txt")

    def test_all_sources_of_the_layers_and_no_others(self):
        prefix = "${modmem_dir}/"
        named = [name.removeprefix(prefix) for name in named_sources(self.text, False)
                 if name.startswith(prefix)]
        self.assertEqual(len(named), len(set(named)))
        self.assertEqual(set(named), layer_sources() - LEFT_OUT)

    def test_all_sources_of_the_glue(self):
        named = {name for condition in (False, True) for name in named_sources(self.text, condition)
                 if not name.startswith("$")}
        there = {name for name in os.listdir(FOLDER) if name.endswith((".cpp", ".c"))}
        self.assertEqual(named, there)

    def test_what_configurations_build_exists(self):
        for name, left_out in (("mmu", {"pool_array.cpp"}),
                               ("array", {"pool_devicetree.cpp", "shell.c"})):
            built = read(BINARY, name, "sources.txt").split()
            for source in built:
                self.assertTrue(os.path.isfile(source), source)
            glue = {os.path.basename(path) for path in built if path.startswith(FOLDER)}
            there = {file for file in os.listdir(FOLDER) if file.endswith((".cpp", ".c"))}
            self.assertEqual(glue, there - left_out, name)


class KconfigTest(unittest.TestCase):
    def test_options_are_those_of_the_library(self):
        kconfig = kconfiglib.Kconfig(os.path.join(ROOT, "Kconfig"), warn_to_stderr=False)
        self.assertEqual(read(FOLDER, "Kconfig.options"), configure.options(kconfig),
                         "integrations/zephyr/configure.py options > "
                         "integrations/zephyr/Kconfig.options")

    def test_the_same_types_ranges_and_defaults(self):
        ours = kconfiglib.Kconfig(os.path.join(ROOT, "Kconfig"), warn_to_stderr=False)
        theirs = make_config.load(os.path.join(HERE, "mmu.conf"))
        for name in configure.declared(ours):
            if name not in ours.syms or name in ("SPAN_BYTES", "MAX_HEAPS", "MAX_OWNERS"):
                continue  # a choice, or set in mmu.conf
            mine, other = ours.syms[name], theirs.syms["MODMEM_" + name]
            self.assertEqual(mine.type, other.type, name)
            self.assertEqual(mine.str_value, other.str_value, name)
            self.assertEqual([(low.str_value, high.str_value) for low, high, _ in mine.ranges],
                             [(low.str_value, high.str_value) for low, high, _ in other.ranges])

    def test_no_warning(self):
        for name in ("mmu.conf", "array.conf"):
            self.assertEqual(make_config.load(os.path.join(HERE, name)).warnings, [])

    def test_nothing_of_ours_without_a_prefix(self):
        kconfig = make_config.load(os.path.join(HERE, "mmu.conf"))
        for symbol in kconfig.unique_defined_syms:
            for node in symbol.nodes:
                if not node.filename.endswith("zephyr.kconfig"):
                    self.assertTrue(symbol.name.startswith("MODMEM"), symbol.name)

    def test_all_that_is_referred_to_exists(self):
        kconfig = make_config.load(os.path.join(HERE, "mmu.conf"))
        for name, symbol in kconfig.syms.items():
            self.assertTrue(symbol.nodes or symbol.is_constant or re.fullmatch(r"[0-9a-fx]+", name) or
                            name == "MODULES", f"{name} is not defined")

    def test_no_driver_no_mapping(self):
        kconfig = make_config.load(os.path.join(HERE, "array.conf"))
        kconfig.syms["MODMEM_HAS_MMU"].set_value(2)
        self.assertEqual(kconfig.syms["MODMEM_HAS_MMU"].tri_value, 0)
        kconfig.syms["MM_DRV"].set_value(2)
        self.assertEqual(kconfig.syms["MODMEM_HAS_MMU"].tri_value, 2)
        self.assertEqual(kconfig.syms["MODMEM_POOL_ARRAY"].tri_value, 0)

    def test_intels_driver_switches_banks(self):
        for driver in ("MM_DRV_INTEL_ADSP_TLB", "MM_DRV_INTEL_ADSP_MTL_TLB"):
            kconfig = make_config.load(os.path.join(HERE, "mmu.conf"))
            self.assertEqual(kconfig.syms["MODMEM_DRIVER_SWITCHES_BANKS"].tri_value, 0)
            kconfig.syms[driver].set_value(2)
            self.assertEqual(kconfig.syms["MODMEM_DRIVER_SWITCHES_BANKS"].tri_value, 2)


class HeadersTest(unittest.TestCase):
    def make(self, *lines):
        """Status, error and values of the headers for mmu.conf with these lines on top."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "more.conf"), "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            kconfig = make_config.load(os.path.join(HERE, "mmu.conf"), file.name)
            self.assertEqual(kconfig.warnings, [])
            dotconfig = os.path.join(folder, ".config")
            kconfig.write_config(dotconfig)
            error = io.StringIO()
            with contextlib.redirect_stderr(error):
                status = configure.main(["headers", "--dotconfig", dotconfig, "--out", folder])
            values = {}
            if status == 0:
                values = dict(re.findall(r"(?m)^inline constexpr .*? (k\w+) = (.*?);",
                                         read(folder, "modmem", "config.hpp")))
        return status, error.getvalue(), values

    def test_values_arrive(self):
        status, _, values = self.make(
            "CONFIG_MODMEM_GRANULE_BYTES=32", 'CONFIG_MODMEM_SLOT_BUNDLES="64x64 4096x2"',
            "CONFIG_MODMEM_MODULE_MEMORY_API_DEBUG=y", "CONFIG_MODMEM_METADATA_BYTES=0x4000",
            "CONFIG_MODMEM_POLICY_SLOTS=y")
        self.assertEqual(status, 0)
        self.assertEqual(values["kGranuleBytes"], "32")
        self.assertEqual(values["kSlotBundles"], '"64x64 4096x2"')
        self.assertEqual(values["kModuleMemoryApiDebug"], "true")
        self.assertEqual(values["kMetadataBytes"], "16384")
        self.assertEqual(values["kPolicy"], '"slots"')
        self.assertEqual(values["kMaxHeaps"], "16")  # mmu.conf's

    def test_what_does_not_hold_is_refused(self):
        status, error, _ = self.make("CONFIG_MODMEM_GRANULE_BYTES=24")
        self.assertEqual(status, 1)
        self.assertRegex(error, "zephyr_defconfig: GRANULE_BYTES: 24 is not a power of two")

    def test_no_constant_is_missing(self):
        declared = kconfiglib.Kconfig(os.path.join(ROOT, "Kconfig"), warn_to_stderr=False)
        _, _, values = self.make()
        self.assertEqual({gen_config.constant_name(symbol.name)
                          for symbol in declared.unique_defined_syms}, set(values))


class BindingTest(unittest.TestCase):
    def test_the_glue_asks_for_what_the_binding_has(self):
        binding = read(FOLDER, "dts", "bindings", "modmem,pool.yaml")
        properties = set(re.findall(r"(?m)^  ([a-z0-9-]+):$", binding))
        glue = read(FOLDER, "pool_devicetree.cpp")
        asked = set(re.findall(r"DT_PROP\(MODMEM_POOL, (\w+)\)", glue))
        asked |= set(re.findall(r"_BEHIND\((\w+)\)", glue)) - {"property"}
        asked |= set(re.findall(r"DT_NODE_HAS_PROP\(MODMEM_POOL, (\w+)\)", glue)) - {"property"}
        self.assertEqual({name.replace("_", "-") for name in asked}, properties)
        # The example is one of a node that the binding allows, with the address that dtc wants.
        node = re.search(r"modmem@(\w+) \{(.*?)\};", binding, re.DOTALL)
        self.assertRegex(node[2], rf"reg = <0x{node[1]} ")
        used = set(re.findall(r"([a-z0-9-]+) = <", node[2]))
        self.assertLessEqual(used, properties)
        required = set(re.findall(r"(?m)^  ([a-z0-9-]+):\n    type: \w+\n    required: true", binding))
        self.assertEqual(required, {"sram", "reserved-size", "bank-size"})
        self.assertLessEqual(required, used)


if __name__ == "__main__":
    BINARY = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
