#!/usr/bin/python3
"""Bad arguments and bad files: one line that names what is wrong, and exit status 2."""

import os

from testing import program


class ArgumentsTest(program.TestCase):
    def assert_option_refused(self, option, *values):
        for value in values:
            self.assert_refused(["run", "--in", self.audio, option, value], option, value)

    def test_help_is_no_error(self):
        for arguments in (["--help"], ["-h"], ["run", "--help"], ["run", "-h"]):
            result = program.run(*arguments)
            self.assertEqual(result.status, 0)
            self.assertEqual(result.err, "")
            self.assertIn("run", result.out)
        for option in ("--in", "--out", "--platform", "--policy", "--pipelines", "--seconds",
                       "--cycles", "--json", "--module", "TOPOLOGY"):
            self.assertIn(option, result.out)
        self.assertLessEqual(max(map(len, result.out.splitlines())), 100)

    def test_no_command(self):
        self.assert_refused([], "command")

    def test_unknown_words(self):
        self.assert_refused(["walk"], "walk")
        self.assert_refused(["--walk"], "--walk")
        self.assert_refused(["run", "--walk"], "--walk")
        self.assert_refused(["run", "-x"], "-x")
        self.assert_refused(["run", program.example("capture"), "more"], "more")
        self.assert_refused([""])

    def test_missing_values(self):
        for option in ("--in", "--out", "--platform", "--policy", "--pipelines", "--seconds",
                       "--cycles", "--json"):
            self.assert_refused(["run", option], option)

    def test_options_given_twice(self):
        self.assert_refused(["run", "--seconds", "1", "--seconds", "1"], "--seconds")
        self.assert_refused(["run", "--out", "a", "--out", "b"], "--out")

    def test_empty_values(self):
        for option in ("--in", "--out", "--json", "--seconds", "--cycles", "--pipelines"):
            self.assert_refused(["run", option, ""], option)
        self.assert_refused(["run", ""], "TOPOLOGY")
        self.assert_refused(["run", "--platform", ""], "platform", "mtl")
        self.assert_refused(["run", "--policy", ""], "policy", "elastic")

    def test_seconds(self):
        self.assert_option_refused("--seconds", "-1", "0", "-0", "nan", "-nan", "inf", "1e999", "1e30",
                                   "86400.001", "0.0000009", "abc", "1s", " 1", "1 ", "0x1p3", "1,5")
        for seconds in ("0.01", "1e-2", ".01", "0.000001"):
            self.assertEqual(program.run("run", "--seconds", seconds).status, 0, seconds)

    def test_cycles(self):
        self.assert_option_refused("--cycles", "0", "-1", "-0", "+1", "99999999999999999999",
                                   "18446744073709551616", "18446744073709551615", "1000000001",
                                   "1.5", "1e3", "0x10", "abc", " 1", "1 ")
        self.assertEqual(program.run("run", "--seconds", "0.001", "--cycles", "2").status, 0)

    def test_pipelines(self):
        self.assert_option_refused("--pipelines", "abc", "-1", "1,", ",1", "1,,2", ",", "1 2", "1;2",
                                   "all,1", "ALL", "0x1", "1.0", "4294967296",
                                   "99999999999999999999")
        message = self.assert_refused(["run", "--pipelines", "1,77"], "77")
        self.assertIn("playback-and-capture.tplg", message)

    def test_names(self):
        for value in ("z80", "MTL", "mtl,lnl", "../mtl", "mtl\nlnl"):
            message = self.assert_refused(["run", "--platform", value], value.replace("\n", "?"))
            self.assertIn("lnl, mcu, mtl, ptl, tgl, wcl", message)
        for value in ("generous", "Elastic", "slot"):
            message = self.assert_refused(["run", "--policy", value], value)
            self.assertIn("elastic, module-heaps, single, slots, slots-modules, slots-all", message)

    def test_line_ends_in_names_do_not_break_the_line(self):
        for option in ("--in", "--out", "--json", "--seconds", "--cycles", "--pipelines"):
            self.assert_refused(["run", option, "/no/such\nfile\x1b[2J\r"], "/no/such?file")
        self.assert_refused(["run", "/no/such\nfile"], "/no/such?file")

    def test_names_that_are_no_text(self):
        self.assert_refused(["run", b"/no/such/\xff\xfe.tplg".decode(errors="surrogateescape")],
                            "/no/such/")

    def test_very_long_arguments(self):
        for option in ("--in", "--json", "--seconds", "--cycles", "--platform", "--pipelines"):
            self.assert_refused(["run", option, "x" * 100_000])


class InputFilesTest(program.TestCase):
    def bad_files(self):
        """Files that are neither a topology nor audio, and what their error must say."""
        text = self.folder / "text"
        text.write_text("no topology, no audio, just text\n" * 10, encoding="ascii")
        empty = self.folder / "empty"
        empty.touch()
        cyclic = self.folder / "cyclic"
        cyclic.symlink_to(cyclic)
        yield from (text, empty, cyclic, self.folder, self.folder / "missing", "/dev/null",
                    self.audio / "below")
        if os.geteuid() != 0:
            locked = self.folder / "locked"
            locked.write_bytes(self.audio.read_bytes())
            locked.chmod(0)
            yield locked

    def test_topologies(self):
        for file in self.bad_files():
            self.assert_refused(["run", file, "--in", self.audio], file)
        self.assert_refused(["run", self.audio], self.audio)
        self.assert_refused(["run", "/dev/zero"], "/dev/zero")

    def test_audio(self):
        for file in self.bad_files():
            self.assert_refused(["run", "--in", file], file)
        self.assert_refused(["run", "--in", program.example("capture")], "capture.tplg")
        self.assert_refused(["run", "--in", "/dev/zero"], "/dev/zero")

    def test_audio_of_impossible_formats(self):
        for name, change in (("channels", (22, b"\0\0")), ("rate", (24, b"\0\0\0\0")),
                             ("huge rate", (24, b"\xff\xff\xff\x7f")), ("bits", (34, b"\7\0")),
                             ("codec", (20, b"\x55\xaa")), ("magic", (0, b"RIFX"))):
            data = bytearray(self.audio.read_bytes())
            data[change[0]:change[0] + len(change[1])] = change[1]
            file = self.folder / "bad.wav"
            file.write_bytes(data)
            # Some of these libsndfile can make sense of; none may be more than an error.
            result = program.run("run", "--in", file)
            self.assertIn(result.status, (0, 2), name)
            if result.status == 2:
                self.assert_refused(["run", "--in", file], file)
        program.write_wav(self.audio, 100, channels=9)
        self.assert_refused(["run", "--in", self.audio], self.audio, "channels")
        program.write_wav(self.audio, 100, rate=3999)
        self.assert_refused(["run", "--in", self.audio], self.audio, "rate")
        program.write_wav(self.audio, 0)
        self.assert_refused(["run", "--in", self.audio], self.audio)

    def test_audio_that_was_cut_off(self):
        whole = self.audio.read_bytes()
        for length in (*range(0, 48), 100, 1001, len(whole) - 1):
            self.audio.write_bytes(whole[:length])
            result = program.run("run", "--in", self.audio)
            self.assertIn(result.status, (0, 2), length)
            if result.status == 2:
                self.assertRegex(result.err, r"\Amodmem: [^\n]+in\.wav: [^\n]+\n\Z", length)
            else:
                self.assertGreaterEqual(length, 44)


class OutputFilesTest(program.TestCase):
    def assert_output_refused(self, path, *names):
        for option in ("--out", "--json"):
            before = self.entries()
            self.assert_refused(["run", "--in", self.audio, option, path], *names)
            self.assertEqual(self.entries(), before)

    def test_a_folder_that_is_not_there(self):
        path = self.folder / "no" / "such" / "file"
        self.assert_output_refused(path, path)
        self.assert_output_refused(self.audio / "file", self.audio / "file")
        self.assert_output_refused("/proc/no-file", "/proc/no-file")

    def test_it_is_known_before_any_cycle(self):
        path = self.folder / "no" / "such" / "file"
        self.assert_refused(["run", "--cycles", "1000000000", "--out", path], path)

    def test_a_folder_that_takes_no_files(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anywhere")
        locked = self.folder / "locked"
        locked.mkdir(mode=0o555)
        self.assert_output_refused(locked / "file", locked / "file")

    def test_a_file_that_may_not_be_written(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anything")
        locked = self.folder / "locked"
        locked.write_text("as it was", encoding="ascii")
        locked.chmod(0o444)
        self.assert_output_refused(locked, locked)

    def test_a_folder_for_the_report(self):
        self.assert_refused(["run", "--json", self.folder], self.folder)
        self.assert_refused(["run", "--json", f"{self.folder}/"], self.folder)

    def test_folders_that_cannot_be_made(self):
        self.assert_refused(["run", "--out", "/proc/no-folder/"], "/proc/no-folder/")
        self.assert_refused(["run", "--out", f"{self.audio}/"], self.audio)

    def test_bad_input_leaves_outputs_as_they_were(self):
        for name in ("out.wav", "report.json"):
            (self.folder / name).write_text("as it was", encoding="ascii")
        before = self.entries()
        self.assert_refused(["run", "--in", "/no/such.wav", "--out", self.folder / "out.wav",
                             "--json", self.folder / "report.json"], "/no/such.wav")
        self.assert_refused(["run", "--out", self.folder / "out.wav", "--json", "/no/such/file"],
                            "/no/such/file")
        self.assert_refused(["run", "--json", self.folder / "report.json", "--out", "/no/such/file"],
                            "/no/such/file")
        self.assertEqual(self.entries(), before)
        for name in ("out.wav", "report.json"):
            self.assertEqual((self.folder / name).read_text(encoding="ascii"), "as it was")

    def test_outputs_that_are_full(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["run"], ["run", "--json", "-"]):
                process = program.subprocess.run([program.path(), *arguments], stdout=full,
                                                 stderr=program.subprocess.PIPE, check=False)
                self.assertEqual(process.returncode, 2)
                self.assertIn(b"modmem: standard output: ", process.stderr.splitlines()[-1])
        result = program.run("run", "--json", "/dev/full")
        self.assertEqual(result.status, 2)
        self.assertRegex(result.err, r"\Amodmem: /dev/full: [^\n]+\n\Z")


if __name__ == "__main__":
    program.main()
