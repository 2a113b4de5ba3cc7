#!/usr/bin/python3
"""Tests of check_layers.py, on trees that break one rule each."""

import contextlib
import io
import os
import tempfile
import unittest

import check_layers


class CheckLayersTest(unittest.TestCase):
    def check(self, files):
        """Checks a tree of {path: content}; returns the exit status and the lines printed."""
        output = io.StringIO()
        with tempfile.TemporaryDirectory() as root:
            for path, content in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(content)
            with contextlib.redirect_stdout(output):
                status = check_layers.main(["--root", root, *files])
        return status, output.getvalue().splitlines()

    def assert_clean(self, files):
        self.assertEqual(self.check(files), (0, []))

    def assert_broken(self, files, *parts):
        status, lines = self.check(files)
        self.assertEqual(status, 1)
        self.assertEqual(len(lines), 1, lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_layers_before_and_the_same_layer(self):
        self.assert_clean({
            "base/bits.hpp": "#include <bit>\n#include \"modmem/config.hpp\"\n",
            "page/pool.hpp": "#include \"base/bits.hpp\"\n",
            "page/pool.cpp": "#include \"page/pool.hpp\"\n#include \"modmem/presets.hpp\"\n",
            "tools/main.cpp": "#include <iostream>\n#include \"page/pool.hpp\"\n"})

    def test_later_layer(self):
        self.assert_broken({"heap/heap.hpp": "", "page/pool.hpp": "\n#include \"heap/heap.hpp\"\n"},
                           "page/pool.hpp:2: ", "belongs to heap/")

    def test_hosted_headers_over_a_freestanding_layer(self):
        files = {"module/module.hpp": "",
                 "hosted/resource.hpp": "#include <memory_resource>\n#include \"module/module.hpp\"\n"}
        self.assert_clean(files)
        files["module/module.hpp"] = "#include \"hosted/resource.hpp\"\n"
        self.assert_broken(files, "module/module.hpp:1: ", "belongs to hosted/")

    def test_integrations_know_what_they_integrate_with(self):
        self.assert_clean({"page/pool.hpp": "",
                           "integrations/zephyr/port.cpp": "#include <zephyr/kernel.h>\n#include <span>\n"
                                                           "#include \"page/pool.hpp\"\n"})
        self.assert_broken({"integrations/zephyr/port.cpp": "#include <memory>\n"},
                           "integrations/zephyr/port.cpp:1: ", "not a freestanding header")
        self.assert_broken({"page/pool.cpp": "#include <zephyr/kernel.h>\n"},
                           "page/pool.cpp:1: ", "not a freestanding header")
        self.assert_broken({"port/posix/plain.hpp": "",
                            "integrations/zephyr/port.cpp": "#include \"port/posix/plain.hpp\"\n"},
                           "integrations/zephyr/port.cpp:1: ", "of a host")

    def test_later_layer_in_a_test(self):
        self.assert_broken({"heap/heap.hpp": "", "page/pool_test.cpp": "#include \"heap/heap.hpp\""},
                           "page/pool_test.cpp:1: ", "belongs to heap/")

    def test_spaces_do_not_hide_it(self):
        self.assert_broken({"heap/heap.hpp": "", "page/pool.hpp": "  #  include\"heap/heap.hpp\"\n"},
                           "page/pool.hpp:1: ")

    def test_relative_to_the_file(self):
        for written in ("pool.hpp", "../page/pool.hpp", "page/../page/pool.hpp"):
            self.assert_broken({"page/pool.hpp": "", "page/pool.cpp": f'#include "{written}"\n'},
                               "page/pool.cpp:1: ", "not a path from the repository root")

    def test_missing_file(self):
        self.assert_broken({"page/pool.cpp": '#include "page/pol.hpp"\n'}, "does not exist")

    def test_generated_headers(self):
        self.assert_broken({"base/bits.hpp": '#include "modmem/presets.hpp"\n'}, "belongs to port/")
        self.assert_broken({"base/bits.hpp": '#include "modmem/other.hpp"\n'}, "not a generated")

    def test_exchanges_of_atomic_variables(self):
        for line in ("std::atomic_flag busy;", "count.fetch_add(1);", "__atomic_add_fetch(&a, 1, 0);",
                     "one.compare_exchange_strong(none, &it);", "old = one.exchange(two);"):
            self.assert_broken({"capi/report.cpp": line + "\n"}, "capi/report.cpp:1: ",
                               "not to be had on every target")
            self.assert_clean({"capi/host/boot.cpp": line + "\n", "tools/main.cpp": line + "\n",
                               "capi/report_test.cpp": line + "\n"})
        self.assert_clean({"capi/system.cpp": "one.store(&it); one.load(); // no fetch_add\n"
                                              "spare = std::exchange(other, nullptr);\n"})

    def test_hosted_header(self):
        self.assert_broken({"heap/heap.cpp": "#include <vector>\n"},
                           "heap/heap.cpp:1: <vector> is not a freestanding header")
        self.assert_broken({"port/port.hpp": "#include <sys/mman.h>\n"}, "<sys/mman.h>")
        self.assert_clean({"port/host/ram.cpp": "#include <sys/mman.h>\n",
                           "heap/heap_test.cpp": "#include <vector>\n",
                           "heap/testing/model.hpp": "#include <map>\n",
                           "testbench/wav.cpp": "#include <vector>\n"})

    def test_host_ports(self):
        simulator = {"port/host/ram.hpp": ""}
        self.assert_broken({**simulator, "page/pool.cpp": '#include "port/host/ram.hpp"\n'},
                           "of a host")
        posix = {"port/posix/lock.hpp": ""}
        self.assert_broken({**posix, "page/pool.cpp": '#include "port/posix/lock.hpp"\n'},
                           "of a host")
        self.assert_clean({**posix, "port/host/ram.hpp": '#include "port/posix/lock.hpp"\n'})
        self.assert_clean({**simulator,
                           "port/host/ram.cpp": '#include "port/host/ram.hpp"\n',
                           "page/pool_test.cpp": '#include "port/host/ram.hpp"\n',
                           "testbench/run.cpp": '#include "port/host/ram.hpp"\n'})

    def test_machine_ports(self):
        machine = {"port/riscv/machine.hpp": ""}
        include = '#include "port/riscv/machine.hpp"\n'
        self.assert_broken({**machine, "page/pool.cpp": include}, "of one machine")
        self.assert_broken({**machine, "testbench/run.cpp": include}, "of one machine")
        self.assert_clean({**machine, "port/riscv/machine.cpp": include,
                           "firmware/boards/virt.cpp": include})
        self.assert_clean({"port/riscv/lock.cpp": "__atomic_fetch_add(&next, 1, 0);\n"})
        self.assert_broken({"firmware/cores.cpp": "__atomic_fetch_add(&next, 1, 0);\n"},
                           "is not to be had on every target")

    def test_public_headers(self):
        files = {"capi/include/rtos/alloc.h": "#include <stdint.h>\n#include <sof/list.h>\n",
                 "capi/include/sof/list.h": "#if __has_include(<user/trace.h>)\n"
                                            "#include <user/trace.h>\n#endif\n",
                 "capi/alloc.cpp": "#include <rtos/alloc.h>\n",
                 "tools/main.cpp": "#include <rtos/alloc.h>\n"}
        self.assert_clean(files)
        self.assert_broken({**files, "capi/a.cpp": "#include <rtos/other.h>\n"}, "does not exist")
        self.assert_broken({**files, "heap/a.cpp": "#include <rtos/alloc.h>\n"}, "belongs to capi/")

    def test_examples_stand_alone(self):
        self.assert_clean({"examples/codec/codec.c": '#include "packet.h"\n',
                           "examples/codec/packet.h": ""})
        self.assert_broken({"examples/codec/codec.c": '#include "packet.h"\n'}, "does not exist")
        self.assert_broken({"tools/main.cpp": '#include "main.hpp"\n', "tools/main.hpp": ""},
                           "not a path from the repository root")

    def test_hosted_folders(self):
        self.assert_clean({"capi/host/boot.cpp": "#include <stdlib.h>\n",
                           "port/posix/port.cpp": "#include <pthread.h>\n"})
        self.assert_broken({"capi/alloc.cpp": "#include <stdlib.h>\n"}, "<stdlib.h>")

    def test_code_for_tests(self):
        helper = {"heap/heap_testing.hpp": ""}
        self.assert_broken({**helper, "heap/heap.cpp": '#include "heap/heap_testing.hpp"\n'},
                           "is for tests only")
        self.assert_clean({**helper, "heap/heap_test.cpp": '#include "heap/heap_testing.hpp"\n'})

    def test_other_files_are_left_alone(self):
        self.assert_clean({"docs/example.cpp": '#include "nothing.hpp"\n',
                           "heap/notes.md": '#include "nothing.hpp"\n'})

    def test_every_broken_include_is_reported(self):
        status, lines = self.check({"base/a.hpp": "#include <map>\n#include <set>\n"})
        self.assertEqual((status, len(lines)), (1, 2))


if __name__ == "__main__":
    unittest.main()
