#!/usr/bin/python3
"""What a compiler says of classes that are not quite ports: port/port_concept.hpp."""

import os
import subprocess
import sys
import unittest

COMPILER = os.environ.get("CXX", "c++")
FLAGS = sys.argv[1:]  # where headers are

WHOLE = {
    "window": "std::byte* window() const override { return nullptr; }",
    "alias_offset": "std::ptrdiff_t alias_offset() const override { return 0; }",
    "map": "bool map(Page, Frame) override { return true; }",
    "unmap": "void unmap(Page) override {}",
    "set_bank_power": "bool set_bank_power(Bank, bool) override { return true; }",
    "cache_writeback": "void cache_writeback(std::byte*, std::size_t) override {}",
    "cache_invalidate": "void cache_invalidate(std::byte*, std::size_t) override {}",
    "lock": "void lock() override {}",
    "unlock": "void unlock() override {}",
    "thread_id": "std::uintptr_t thread_id() const override { return 1; }",
    "core_id": "std::uint32_t core_id() const override { return 0; }",
    "on_audio_path": "bool on_audio_path() const override { return false; }",
    "time_us": "std::uint64_t time_us() const override { return 0; }",
    "log": "void log(LogLevel, const char*) override {}",
}


def errors(functions, base="Port", access="public", before=""):
    """The errors that the compiler has for a port of these functions, as lines. `before`: classes
    that it may derive from."""
    source = (f'#include "port/port_concept.hpp"\nnamespace modmem {{ {before} class MyPort : public {base} '
              f'{{ {access}: {" ".join(functions)} }}; MODMEM_ASSERT_PORT(MyPort); }}\n')
    result = subprocess.run([COMPILER, "-std=c++20", "-fsyntax-only", "-x", "c++", *FLAGS, "-"],
                            input=source, capture_output=True, text=True, check=False)
    lines = [line for line in result.stderr.splitlines() if "error:" in line]
    assert bool(lines) == (result.returncode != 0)
    return lines


class PortConceptTest(unittest.TestCase):
    def assert_told(self, lines, *parts):
        self.assertTrue(any(all(part in line for part in parts) for line in lines), lines)

    def test_a_whole_port(self):
        self.assertEqual(errors(WHOLE.values()), [])

    def test_a_port_of_several_classes(self):
        first = {name: text for name, text in WHOLE.items() if name < "m"}
        second = [text for name, text in WHOLE.items() if name not in first]
        before = f"class First : public Port {{ public: {' '.join(first.values())} }};"
        self.assertEqual(errors(second, base="First", before=before), [])

    def test_what_is_missing_is_named(self):
        for missing in WHOLE:
            lines = errors(text for name, text in WHOLE.items() if name != missing)
            self.assert_told(lines, "a port overrides", f" {missing}(")

    def test_other_types_are_named(self):
        for name, text in {"map": "bool map(int, int) { return true; }",
                           "set_bank_power": "void set_bank_power(Bank, bool) {}",
                           "time_us": "std::uint64_t time_us() { return 0; }"}.items():
            lines = errors((WHOLE | {name: text}).values())
            # An override whose result differs is one that every compiler names itself.
            self.assert_told(lines, name)

    def test_private_functions_are_named(self):
        self.assert_told(errors(WHOLE.values(), access="private"), "in public", "map(")

    def test_half_of_closing_pages(self):
        for text in ("bool can_close_pages() const override { return true; }",
                     "void set_access(Page, Access) override {}"):
            self.assert_told(errors([*WHOLE.values(), text]), "set_access(Page page, Access access)")

    def test_what_is_no_port_at_all(self):
        class_of_its_own = [text.replace(" override", "") for text in WHOLE.values()]
        self.assert_told(errors(class_of_its_own, base="Other", before="class Other {};"),
                         "a port derives from")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
