#!/usr/bin/python3
"""libmodmem as C programs see it: linked with cc alone, and exporting what the headers declare.

Arguments: libmodmem.a, libmodmem.so, and the compiler with its options."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

CAPI = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(CAPI, "include")

PROGRAM = r"""
#include <rtos/alloc.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  char *small = rmalloc(0, 100);
  char *large = rballoc(SOF_MEM_FLAG_USER, 10000);
  if (!small || !large || (uintptr_t)large % 64)
    return 1;
  memset(small, 1, 100);
  memset(large, 2, 10000);
  rfree(small);
  rfree(large);
  return modmem_shutdown();
}
"""

# Misuse through the whole stack: the line names function, pointer and caller.
MISUSE = r"""
#include <rtos/alloc.h>
int main(void) {
  char *block = rmalloc(0, 100);
  rfree(block + 16);
  rfree(block);
  return 0;
}
"""

# A framework's own struct: its two functions win over the library's weak ones.
OWN_STRUCT = r"""
#define MODMEM_OWN_PROCESSING_MODULE
#include <modmem/module.h>
struct processing_module { int number; struct module_resources held; };
struct module_resources *modmem_module_resources(struct processing_module *mod) {
  return &mod->held;
}
uint32_t modmem_module_id(const struct processing_module *mod) {
  return 0xabc0u + (uint32_t)mod->number;
}
int main(void) {
  static struct processing_module mod = {.number = 7};
  mod_resource_init(&mod);
  void *nothing = mod_alloc(&mod, 0);
  mod_free_all(&mod);
  return nothing != NULL;
}
"""

# A program whose C library allocates here.
ALLOCATOR = r"""
#include <rtos/alloc.h>
#include <stdio.h>
void *malloc(size_t bytes) { return rmalloc(0, bytes); }
void *calloc(size_t count, size_t bytes) { return rzalloc(0, count * bytes); }
void *realloc(void *block, size_t bytes) { return rbrealloc(block, 0, bytes, bytes); }
void free(void *block) { rfree(block); }
int main(void) {
  struct modmem_info info;
  char *text = malloc(100);
  snprintf(text, 100, "%d", 42);
  puts(text);
  free(text);
  return modmem_info(&info) || info.live_bytes == 0 || info.faults;
}
"""


class LibraryTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def build(self, program, libraries, *options):
        source = os.path.join(self.folder.name, "program.c")
        out = os.path.join(self.folder.name, "program")
        with open(source, "w", encoding="utf-8") as file:
            file.write(program)
        result = subprocess.run([*COMPILE, *options, "-I", INCLUDE, source, "-o", out, *libraries],
                                text=True, capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return out

    def run_program(self, out, **environment):
        return subprocess.run([out], text=True, capture_output=True, check=False, timeout=60,
                              env={**os.environ, **environment})

    def shared(self):
        """What links the shared library, and finds it at run time."""
        folder = os.path.dirname(SHARED)
        return ["-L", folder, "-l:" + os.path.basename(SHARED), f"-Wl,-rpath,{folder}"]

    def test_cc_is_enough(self):
        for libraries in ([STATIC], self.shared()):
            out = self.build(PROGRAM, libraries)
            for host in ("", "sim", "plain", "libc"):
                with self.subTest(libraries=libraries, host=host):
                    result = self.run_program(out, MODMEM_HOST=host)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
            loaded = subprocess.run(["ldd", out], text=True, capture_output=True, check=True).stdout
            self.assertNotIn("libstdc++", loaded)
            self.assertEqual("libmodmem" in loaded, libraries != [STATIC])

    def test_a_framework_s_functions_win(self):
        for libraries in ([STATIC], self.shared()):
            with self.subTest(libraries=libraries):
                result = self.run_program(self.build(OWN_STRUCT, libraries))
                self.assertEqual(result.returncode, 0)
                self.assertIn("module 0xabc7", result.stderr)

    def test_a_program_may_replace_malloc(self):
        if any(option.startswith(("-fsanitize", "--coverage")) for option in COMPILE):
            self.skipTest("sanitizers and coverage have an allocator in mind")
        out = self.build(ALLOCATOR, [STATIC], "-fno-builtin")
        for host in ("sim", "plain"):
            with self.subTest(host=host):
                result = self.run_program(out, MODMEM_HOST=host)
                self.assertEqual((result.returncode, result.stdout, result.stderr),
                                 (0, "42\n", ""))

    def test_a_misuse_ends_the_program_or_is_reported(self):
        out = self.build(MISUSE, [STATIC])
        result = self.run_program(out)
        self.assertEqual(result.returncode, -6, result.stderr)
        self.assertRegex(result.stderr, r"modmem: error: rfree: 0x[0-9a-f]+ lies inside of a block, "
                         r"not at its start, heap system, owner system 0x0, from "
                         r"program\+0x[0-9a-f]+\n$")
        result = self.run_program(out, MODMEM_FAULT="report")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_bad_environment(self):
        out = self.build(PROGRAM, [STATIC])
        for name, value, known in (("MODMEM_PLATFORM", "pdp-11", "mtl"),
                                   ("MODMEM_POLICY", "socialist", "elastic"),
                                   ("MODMEM_HOST", "cloud", "sim, plain, libc"),
                                   ("MODMEM_FAULT", "ignore", "abort, report"),
                                   ("MODMEM_LOG", "loud", "error, warning, info, debug")):
            with self.subTest(name=name):
                result = self.run_program(out, **{name: value})
                self.assertEqual(result.returncode, -6)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                for part in (name, value, known):
                    self.assertIn(part, result.stderr)

    def declared(self):
        """The functions that the headers declare and do not define."""
        functions = set()
        headers = [os.path.relpath(os.path.join(folder, file), INCLUDE)
                   for folder, _, files in os.walk(INCLUDE) for file in files
                   if file != "testing.h"]  # of libmodmem_testing
        source = os.path.join(self.folder.name, "headers.c")
        listing = os.path.join(self.folder.name, "listing")
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(f"#include <{header}>\n" for header in sorted(headers))
        for generation in (2025, 2026):
            subprocess.run(["gcc", "-std=c11", f"-DMODMEM_SOF_API={generation}", "-I", INCLUDE,
                            "-fsyntax-only", "-aux-info", listing, source], check=True)
            with open(listing, encoding="utf-8") as file:
                for line in file:
                    match = re.match(r"/\* (\S+):\d+:NC \*/ extern .*?(\w+) \(", line)
                    if match and match[1].startswith(INCLUDE):
                        functions.add(match[2])
        return functions

    def test_exports(self):
        with open(os.path.join(CAPI, "modmem.map"), encoding="utf-8") as file:
            listed = set(re.findall(r"^ +(\w+);", file.read(), re.MULTILINE))
        self.assertEqual(listed ^ self.declared(), set())
        symbols = subprocess.run(["nm", "-D", "--defined-only", SHARED], text=True,
                                 capture_output=True, check=True).stdout
        exported = {line.split()[2] for line in symbols.splitlines() if line.split()[1] in "TWV"}
        self.assertEqual(exported ^ listed, set())


if __name__ == "__main__":
    STATIC, SHARED, *COMPILE = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
