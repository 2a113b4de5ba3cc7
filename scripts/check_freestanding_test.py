#!/usr/bin/python3
"""Tests of check_freestanding.py, on libraries compiled for the purpose."""

import contextlib
import io
import os
import subprocess
import tempfile
import unittest

import check_freestanding

FLAGS = ("-std=c++20", "-O1", "-ffreestanding", "-fno-exceptions", "-fno-rtti",
         "-fno-threadsafe-statics")


class CheckFreestandingTest(unittest.TestCase):
    def check(self, *sources, flags=FLAGS, c_sources=()):
        """Checks a library for each source, those of c_sources as ones that may call the C library;
        returns the exit status and what was printed."""
        output = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            libraries = []
            for number, source in enumerate((*sources, *c_sources)):
                stem = os.path.join(folder, f"part{number}")
                with open(f"{stem}.cpp", "w", encoding="utf-8") as file:
                    file.write(source)
                subprocess.run([os.environ.get("CXX", "g++"), *flags, "-c", f"{stem}.cpp", "-o",
                                f"{stem}.o"], check=True)
                subprocess.run(["ar", "cr", f"{stem}.a", f"{stem}.o"], check=True)
                libraries += (["--c-library"] if number >= len(sources) else []) + [f"{stem}.a"]
            with contextlib.redirect_stdout(output):
                status = check_freestanding.main(libraries)
        return status, output.getvalue()

    def assert_refers_to(self, source, name, flags=FLAGS, may_call_c=False):
        if may_call_c:
            status, output = self.check(flags=flags, c_sources=(source,))
        else:
            status, output = self.check(source, flags=flags)
        self.assertEqual(status, 1)
        self.assertIn(f"part0.a(part0.o): refers to {name}", output)

    def test_what_compilers_call(self):
        self.assertEqual((0, ""), self.check(
            "struct S { char bytes[4096]; }; void copy(S& a, const S& b) { a = b; }"
            "__int128 divide(__int128 a, __int128 b) { return a / b; }"))

    def test_one_library_of_another(self):
        self.assertEqual((0, ""), self.check("namespace modmem { int f(); int g() { return f(); } }",
                                             "namespace modmem { int f() { return 1; } }"))
        self.assert_refers_to("namespace modmem { int f(); int g() { return f(); } }", "modmem::f()")

    def test_the_hook_that_ports_define(self):
        self.assertEqual((0, ""), self.check(
            "namespace modmem { [[noreturn]] void check_failed(const char*, const char*, int); }"
            "void f() { modmem::check_failed(\"\", \"\", 1); }"))

    def test_allocation(self):
        self.assert_refers_to("int* f() { return new int; }", "operator new")
        self.assert_refers_to("void f(int* p) { delete p; }", "operator delete")
        self.assert_refers_to("extern \"C\" void* malloc(unsigned long);"
                              "void* f() { return malloc(8); }", "malloc")

    def test_libraries(self):
        self.assert_refers_to("extern \"C\" int puts(const char*); void f() { puts(\"\"); }", "puts")

    def test_exceptions_and_guards(self):
        self.assert_refers_to("void f() { throw 1; }", "__cxa_", flags=("-std=c++20",))
        self.assert_refers_to("int g(); int f() { static int x = g(); return x; }", "__cxa_guard",
                              flags=("-std=c++20", "-fno-exceptions"))

    def test_initialiser(self):
        status, output = self.check("namespace { int f() { volatile int x = 1; return x; } }"
                                    "int y = f();")
        self.assertEqual(status, 1)
        self.assertIn("has an initialiser that runs before main", output)

    def test_the_c_library(self):
        calls = "extern \"C\" void* malloc(unsigned long); void* f() { return malloc(8); }"
        self.assertEqual((0, ""), self.check(c_sources=(calls,)))
        self.assertEqual((0, ""), self.check("int f() { return 1; }",
                                             c_sources=("int f(); int g() { return f(); }",)))

    def test_freestanding_code_that_refers_to_a_c_library(self):
        status, output = self.check("int f(); int g() { return f(); }",
                                    c_sources=("int f() { return 1; }",))
        self.assertEqual((1, "part0.a(part0.o): refers to f()\n"), (status, output))

    def test_the_cplusplus_library_in_a_c_library(self):
        for source, name, flags in (
                ("int* f() { return new int; }", "operator new", FLAGS),
                ("void f(int* p) { delete p; }", "operator delete", FLAGS),
                ("#include <vector>\nint f(std::vector<int>& v) { return v.at(1); }", "std::__throw",
                 FLAGS),
                ("void f() { throw 1; }", "__cxa_", ("-std=c++20",)),
                ("struct A { virtual ~A(); }; struct B : A { }; B* f(A* a) "
                 "{ return dynamic_cast<B*>(a); }", "__dynamic_cast", ("-std=c++20",)),
                ("int g(); int f() { static int x = g(); return x; }", "__cxa_guard",
                 ("-std=c++20", "-fno-exceptions")),
                ("void g(); struct A { ~A(); }; void f() { A a; g(); }", "__gxx_personality",
                 ("-std=c++20",))):
            self.assert_refers_to(source, name, flags, may_call_c=True)


if __name__ == "__main__":
    unittest.main()
