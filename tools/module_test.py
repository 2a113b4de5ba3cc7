#!/usr/bin/python3
"""Modules that are loaded: wrong files, modules that do what they must not do, interruptions."""

import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

from testing import program

# The echo's widget, and the UUID that it and all test modules have.
WIDGET, ID = "echo.1.1", "0x00010001"
UUID = "8f3c1d0a-5b27-4e6f-9a41-7c20de86b35f"


class ModuleTestCase(program.TestCase):
    def assert_module_refused(self, module, *names, fault="", more=()):
        return self.assert_refused(["run", program.example("echo"), "--in", self.audio, "--module",
                                    module, *more], module, *names,
                                   env=os.environ | {"FAULTY": fault})

    def run_faulty(self, fault, status, *arguments, name="faulty"):
        """Runs the faulty module; returns the report as data and as text, and what else was said."""
        report = self.folder / "report.json"
        result = program.run("run", program.example("echo"), "--in", self.audio, "--module",
                             program.test_module(name), "--json", report, *arguments,
                             env=os.environ | {"FAULTY": fault})
        self.assertEqual(result.status, status, result)
        data = program.load_json(report)
        # What faults the module has, the pool is as it was.
        self.assertEqual(data["pool"]["mapped_bytes"], data["pool"]["boot_mapped_bytes"])
        return data, result.out, result.err


class FilesTest(ModuleTestCase):
    def test_no_such_file(self):
        for name in ("nowhere.so", "./nowhere.so", f"{self.folder}/nowhere.so"):
            self.assert_module_refused(name, "No such file")
        self.assert_refused(["run", "--module"], "--module")
        self.assert_refused(["run", "--module", ""], "--module")

    def test_no_shared_object(self):
        text = self.folder / "text.so"
        text.write_text("just a text", encoding="ascii")
        self.assert_module_refused(text, "no ELF file")
        empty = self.folder / "empty.so"
        empty.touch()
        self.assert_module_refused(empty, "no ELF file")
        self.assert_module_refused(self.folder, "no regular file")
        self.assert_module_refused("/dev/zero", "no regular file")
        pipe = self.folder / "pipe.so"
        os.mkfifo(pipe)
        self.assert_module_refused(pipe, "no regular file")
        self.assert_module_refused(program.path(), "executable")
        self.assert_module_refused(f"{text}/within.so", "Not a directory")

    def test_no_permission(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        file = self.folder / "secret.so"
        shutil.copy(program.module("echo"), file)
        file.chmod(0)
        self.assert_module_refused(file, "Permission denied")

    def test_not_what_it_should_be(self):
        self.assert_module_refused(program.test_module("faulty_nameless"), "no modmem_module")
        self.assert_module_refused(program.test_module("faulty_abi"), "4711", "ABI")
        self.assert_module_refused(program.test_module("faulty_incomplete"), "lacks its name")
        self.assert_module_refused(program.test_module("faulty_undefined"), "faulty_is_nowhere")

    def test_a_uuid_twice(self):
        other = self.folder / "other.so"
        shutil.copy(program.module("echo"), other)
        self.assert_module_refused(other, program.module("echo"), UUID,
                                   more=("--module", program.module("echo")))
        self.assert_module_refused(other, UUID, more=("--module", other))

    def test_a_uuid_that_no_widget_has(self):
        self.assert_refused(["run", program.example("opus"), "--in", self.audio, "--module",
                             program.module("echo")], program.module("echo"), UUID, "no widget")

    def test_a_file_without_a_folder_is_in_this_one(self):
        shutil.copy(program.module("echo"), self.folder / "here.so")
        result = program.run("run", program.example("echo"), "--in", self.audio, "--module",
                             "here.so", cwd=self.folder)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertIn(f"{WIDGET} is loaded from here.so", result.out)

    def test_cut_off(self):
        whole = pathlib.Path(program.module("echo")).read_bytes()
        file = self.folder / "cut.so"
        generator = random.Random(1)
        lengths = {0, 1, 3, 4, 63, 64, 119, 120, 4095, 4096, len(whole) - 1,
                   *generator.choices(range(len(whole)), k=40)}
        statuses = set()
        for length in sorted(lengths):
            file.write_bytes(whole[:length])
            result = program.run("run", program.example("echo"), "--in", self.audio, "--seconds",
                                 "0.003", "--module", file)
            # Without the end, which only debuggers read, it is a module still.
            self.assertIn(result.status, (0, 2), f"{length}: {result}")
            if result.status == 2:
                self.assertRegex(result.err, r"\Amodmem: [^\n]*cut\.so: [^\n]+\n\Z", length)
            statuses.add(result.status)
        self.assertEqual(statuses, {0, 2})


class FaultsTest(ModuleTestCase):
    def test_none(self):
        data, text, errors = self.run_faulty("", 0)
        self.assertEqual(errors, "")
        self.assertEqual(data["leaks"], [])
        module = next(module for module in data["modules"] if module["name"] == WIDGET)
        self.assertEqual(module["loaded_from"], program.test_module("faulty"))
        self.assertFalse(module["placeholder"])
        self.assertIn(f"{WIDGET} is loaded from", text)
        others = [module for module in data["modules"] if module["name"] != WIDGET]
        self.assertEqual({module["loaded_from"] for module in others}, {None})

    def test_refusals(self):
        file = program.test_module("faulty")
        for fault in ("refuses the widget", "refuses the formats", "refuses the configuration",
                      "asks for too much"):
            self.assert_module_refused(file, WIDGET, "0x10001", fault=fault)
        self.assertIn("Operation not permitted",
                      self.assert_module_refused(file, fault="refuses the widget"))

    def test_taking_all_memory(self):
        data, text, _ = self.run_faulty("takes all memory", 1)
        self.assertEqual(data["leaks"], [])
        self.assertIsNotNone(data["failure"])
        self.assertIn("Out of memory: creating " + WIDGET, text)

    def test_leaks_are_reported_and_cleaned(self):
        for cycles in (1, 3):
            data, text, _ = self.run_faulty("keeps its memory", 1, "--cycles", cycles)
            self.assertEqual(len(data["leaks"]), 1)  # the first cycle that fails is the last
            leak = data["leaks"][0]
            self.assertEqual((leak["id"], leak["bytes"]), (ID, 100))
            self.assertRegex(leak["site"], r"\Alibfaulty\.so\+0x[0-9a-f]+\Z")
            self.assertIn("Leaks: 1", text)

    def test_the_site_of_a_leak_is_its_call(self):
        data, _, _ = self.run_faulty("keeps its memory", 1)
        site = int(data["leaks"][0]["site"].split("+")[1], 16)
        symbols = subprocess.run(["nm", program.test_module("faulty")], capture_output=True,
                                 text=True, check=True).stdout
        starts = {name: int(start, 16) for start, name in
                  re.findall(r"^([0-9a-f]+) [tT] (\w+)$", symbols, re.MULTILINE)}
        nearest = max((start, name) for name, start in starts.items() if start <= site)
        self.assertEqual(nearest[1], "faulty_init")

    def test_memory_that_no_module_is_named_for(self):
        for name in ("faulty", "faulty_linked"):
            report = self.folder / "report.json"
            result = program.run("run", program.example("echo"), "--in", self.audio, "--module",
                                 program.test_module(name), "--json", report,
                                 env=os.environ | {"FAULTY": "keeps what no module is named for"})
            self.assertEqual(result.status, 1, result)
            leaks = program.load_json(report)["leaks"]
            self.assertEqual([leak["bytes"] for leak in leaks], [200])
            self.assertRegex(leaks[0]["site"], rf"\Alib{name}\.so\+0x[0-9a-f]+\Z")

    def test_a_module_with_the_library_has_no_allocator_of_its_own(self):
        needed = subprocess.run(["readelf", "-d", program.test_module("faulty_linked")],
                                capture_output=True, text=True, check=True).stdout
        self.assertIn("libmodmem.so", needed)
        data, _, _ = self.run_faulty("keeps its memory", 1, name="faulty_linked")
        self.assertEqual([leak["bytes"] for leak in data["leaks"]], [100])

    def test_wrong_frees(self):
        for fault in ("frees twice", "frees what is not its own"):
            data, text, errors = self.run_faulty(fault, 1)
            self.assertEqual(data["leaks"], [])
            self.assertIn("Wrong free", text)
            self.assertRegex(errors, r"free: 0x[0-9a-f]+ [^\n]*libfaulty\.so\+0x[0-9a-f]+\n")

    def test_writes_behind_a_block(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer finds it first")
        for level in ("standard", "full"):
            data, text, _ = self.run_faulty("writes behind its block", 1, "--hardening", level)
            fault, = data["faults"]
            self.assertEqual(fault["id"], ID)
            self.assertRegex(fault["what"], r"\Aoverrun: 2 bytes behind a block of 100 bytes of module ")
            self.assertRegex(fault["taken_at"], r"\Alibfaulty\.so\+0x[0-9a-f]+\Z")
            self.assertEqual(fault["advice"], "write within the block, or ask for more")
            self.assertIn("Damage: overrun: 2 bytes behind a block of 100 bytes", text)
            self.assertIn("\n  write within the block, or ask for more\n", text)
        data, _, _ = self.run_faulty("writes behind its block", 0, "--hardening", "none")
        self.assertNotIn("faults", data)

    def test_writes_after_a_free(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer finds it first")
        data, text, _ = self.run_faulty("writes after its free", 1, "--hardening", "full")
        fault, = data["faults"]
        self.assertRegex(fault["what"], r"\Awrite after free: 1 byte, 7 bytes into a block of 100 bytes ")
        self.assertRegex(fault["freed_at"], r"\Alibfaulty\.so\+0x[0-9a-f]+\Z")
        self.assertIn("Damage: write after free: 1 byte", text)

    def test_hardening_levels(self):
        for level in ("none", "standard", "full"):
            data, _, _ = self.run_faulty("", 0, "--hardening", level)
            self.assertNotIn("faults", data)
        self.assert_refused(["run", "--hardening", "most"], "most")
        self.assert_refused(["run", "--hardening", "full", "--trace", str(self.folder / "trace")],
                            "full")

    def test_allocating_on_the_audio_path(self):
        _, text, _ = self.run_faulty("allocates while it processes", 1)
        self.assertIn("The audio path allocated: 40 calls", text)

    def test_failures_of_processing(self):
        for fault, error in (("fails to process", -5), ("says that it made too much", -75)):
            data, text, _ = self.run_faulty(fault, 1)
            module = next(module for module in data["modules"] if module["name"] == WIDGET)
            self.assertEqual(module["process_errors"], 20)
            self.assertIn(f"Failed to process: {WIDGET} ({ID})\n  20 times, first with error {error}",
                          text)
            self.assertEqual(data["audio"]["xruns"], 20)

    def test_too_little_is_an_xrun(self):
        data, _, _ = self.run_faulty("makes too little", 0)
        self.assertEqual(data["audio"]["xruns"], 20)

    def test_many_lives(self):
        data, _, errors = self.run_faulty("", 0, "--cycles", "1000")
        self.assertEqual((data["leaks"], errors), ([], ""))


class InterruptionTest(ModuleTestCase):
    def test_nothing_is_left_behind(self):
        out = self.folder / "out.wav"
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([program.path(), "run", program.example("opus"), "--in",
                                   self.audio, "--module", program.module("opus_codec"),
                                   "--seconds", "3600", "--out", out],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                while self.entries() == ["in.wav"] and process.poll() is None:
                    time.sleep(0.001)
                process.send_signal(number)
                output, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
            self.assertEqual((process.returncode, output, errors), (-number, b"", b""))
            self.assertEqual(self.entries(), ["in.wav"])


if __name__ == "__main__":
    program.main()
