#!/usr/bin/python3
"""Every public header compiles alone, and all of them together, in any order, as C11 and as C++20,
with gcc and clang, for both generations of the interface, without a warning."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wundef", "-Wstrict-prototypes", "-Werror")
COMPILERS = (("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "c++", "c++20"),
             ("clang++", "c++", "c++20"))


def headers():
    found = []
    for folder, _, files in os.walk(INCLUDE):
        found += [os.path.relpath(os.path.join(folder, file), INCLUDE) for file in files]
    return sorted(found)


class HeadersTest(unittest.TestCase):
    def compile(self, lines, *options):
        """Compiles the lines with all compilers there are, for both generations."""
        for compiler, language, standard in COMPILERS:
            if shutil.which(compiler) is None:
                print(f"headers_test: {compiler} is not there: not tried", file=sys.stderr)
                continue
            warnings = [flag for flag in WARNINGS
                        if language == "c" or flag != "-Wstrict-prototypes"]
            for generation in (2025, 2026):
                with self.subTest(compiler=compiler, generation=generation):
                    result = subprocess.run(
                        [compiler, "-x", language, f"-std={standard}", *warnings, "-fsyntax-only",
                         f"-DMODMEM_SOF_API={generation}", "-I", INCLUDE, *options, "-"],
                        input="\n".join(lines) + "\n", text=True, capture_output=True, check=False)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_each_alone(self):
        for header in headers():
            with self.subTest(header=header):
                self.compile([f"#include <{header}>"])

    def test_twice_and_together(self):
        everything = [f"#include <{header}>" for header in headers()]
        self.compile(everything + everything[::-1])

    def test_unknown_generation(self):
        result = subprocess.run(
            ["gcc", "-fsyntax-only", "-DMODMEM_SOF_API=2024", "-I", INCLUDE, "-x", "c", "-"],
            input="#include <rtos/alloc.h>\n", text=True, capture_output=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("MODMEM_SOF_API", result.stderr)

    def test_what_the_framework_has_comes_with_alloc(self):
        framework = {"rtos/bit.h": "#define BIT(b) (1u << (b))",
                     "rtos/string.h": "#include <string.h>",
                     "sof/lib/memory.h": "#define PLATFORM_DCACHE_ALIGN sizeof(void *)",
                     "sof/trace/trace.h": "#define tr_err(...)",
                     "user/trace.h": "#define LOG_LEVEL_ERROR 1"}
        with tempfile.TemporaryDirectory() as folder:
            for name, content in framework.items():
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(content + "\n")
            self.compile(["#include <rtos/alloc.h>", "void *buffer(void);",
                          "void *buffer(void) {",
                          "  void *taken = rballoc(SOF_MEM_FLAG_DMA | BIT(4), LOG_LEVEL_ERROR);",
                          "  tr_err(taken);", "  memset(taken, 0, PLATFORM_DCACHE_ALIGN);",
                          "  return taken;", "}"], "-I", folder)

    def test_a_framework_has_a_module_of_its_own(self):
        own = ["#include <modmem/module.h>",
               "struct processing_module { struct module_resources resources; int own; };",
               "int own(struct processing_module *mod);",
               "int own(struct processing_module *mod) { return mod_alloc(mod, 1) ? mod->own : 0; }"]
        self.compile(own, "-DMODMEM_OWN_PROCESSING_MODULE")
        with tempfile.TemporaryDirectory() as folder:
            header = os.path.join(folder, "sof/audio/module_adapter/module/generic.h")
            os.makedirs(os.path.dirname(header))
            with open(header, "w", encoding="utf-8"):
                self.compile(own, "-I", folder)


if __name__ == "__main__":
    unittest.main()
