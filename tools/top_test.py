#!/usr/bin/python3
"""`modmem top` from outside: what it draws on a terminal, how it leaves it, and its refusals."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import termios
import time

import pyte

from testing import program

CALL = pathlib.Path(__file__).resolve().parent.parent / "examples" / "scripts" / "call.script"
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """The program on a terminal of its own, which is emulated."""

    def __init__(self, *arguments, columns=100, rows=30, kind="xterm"):
        self.raw = b""
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.file, self.other_side = pty.openpty()
        self.resize(columns, rows)
        self.before = self.settings()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.file)
            os.login_tty(self.other_side)
            os.environ["TERM"] = kind
            os.execv(program.path(), [program.path(), "top", *map(str, arguments)])

    def settings(self):
        return termios.tcgetattr(self.other_side)

    def resize(self, columns, rows):
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds):
        """Reads what comes within so long. Whether something came."""
        if not select.select([self.file], [], [], seconds)[0]:
            return False
        data = os.read(self.file, 65536)
        self.raw += data
        self.stream.feed(data)
        return True

    def text(self):
        return "\n".join(self.screen.display)

    def wait_for(self, condition, what):
        end = time.monotonic() + program.TIMEOUT_SECONDS
        while not condition():
            self.read(0.1)
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{self.text()}")

    def press(self, keys):
        os.write(self.file, keys)

    def end(self):
        """The exit status, or the number of the signal that ended it, negative."""
        while (ended := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            self.read(0.1)
        while self.read(0):
            pass
        after = self.settings()
        os.close(self.file)
        os.close(self.other_side)
        if after != self.before:
            raise AssertionError("the terminal is not as it was")
        return os.waitstatus_to_exitcode(ended[1])


class TopTest(program.TestCase):
    def once(self, *arguments):
        result = program.run("top", *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return result.out

    def test_a_picture_has_the_figures_of_the_run(self):
        picture = self.once(program.example("desk"), "--script", CALL, "--once", "4.2")
        self.assertRegex(picture, r"^desk.tplg on mtl, policy elastic:  0:00:04.200 of 0:00:08.000\n")
        trace = self.folder / "trace"
        program.run("run", program.example("desk"), "--script", CALL, "--trace", trace)
        page = program.run("report", trace, "-o", "-").out
        data = json.loads(re.findall(r'id="data">([^<]*)<', page)[0])
        peak = data["traces"][0]["runs"][0]["figures"]["peak_live_bytes"]
        self.assertIn(f"peak {peak:>14,} B\n", picture)
        self.assertRegex(picture, r"\n  0 \[######\.\.\.\.\]  19/32     1  off")
        self.assertIn("Call playback running", picture)
        rows = {}
        for line in picture.split("\nowner ")[1].split("\n")[1:-1]:
            depth, name, live = re.match(r"( *)(.*?)  +([\d,]+) ", line).groups()
            rows.setdefault(len(depth) // 2, []).append((name, int(live.replace(",", ""))))
        [(system, live)] = rows[0]
        self.assertEqual(system, "system")
        self.assertEqual(live, sum(bytes for _, bytes in rows[1]))
        self.assertEqual([bytes for _, bytes in rows[1]], sorted((bytes for _, bytes in rows[1]), reverse=True))
        self.assertIn("denoiser.9.1", [name for name, _ in rows[2]])
        self.assertLessEqual(max(map(len, picture.splitlines())), 100)

    def test_rates_are_of_a_second(self):
        topology = program.example("playback-mixer")
        picture = self.once(topology, "--once", "0.5")
        allocated = sum(int(count) for count in re.findall(r" (\d+) +\d+ +0\n", picture.split("\nowner ")[1]))
        self.assertGreater(allocated, 10)
        self.assertIn(f"a second: {2 * allocated} allocated, 0 freed, 0 failed;", picture)

    def test_the_same_run_gives_the_same_picture(self):
        arguments = (program.example("desk"), "--script", CALL, "--once", "3")
        self.assertEqual(self.once(*arguments), self.once(*arguments))

    def test_refusals(self):
        topology = program.example("playback-mixer")
        for arguments, name in (((topology,), "no terminal"),
                                ((topology, "--once", "2", "--seconds", "1"), "--once 2"),
                                ((topology, "--once", "x"), "--once"),
                                ((topology, "--speed", "-1", "--once", "1"), "--speed"),
                                ((topology, "--script", CALL, "--seconds", "1", "--once", "1"), "--seconds"),
                                (("nowhere.tplg", "--once", "1"), "nowhere.tplg")):
            result = program.run("top", *arguments)
            self.assertEqual(result.status, 2, arguments)
            self.assertEqual(result.err.count("\n"), 1, result.err)
            self.assertIn(name, result.err)

    def test_memory_that_runs_out_is_reported(self):
        result = program.run("top", program.test_topology("too-large"), "--platform", "mcu", "--once", "1")
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("Out of memory", result.out)

    def test_a_terminal_is_drawn_on_and_left_as_it_was(self):
        terminal = Terminal(program.example("desk"), "--script", CALL)
        terminal.wait_for(lambda: "pipeline.6" in terminal.text(), "an owner")
        self.assertIn("policy elastic", terminal.screen.display[0])
        self.assertTrue(terminal.screen.cursor.hidden)
        first = terminal.screen.display[0]
        terminal.wait_for(lambda: terminal.screen.display[0] != first, "another picture")
        terminal.press(b"q")
        self.assertEqual(terminal.end(), 0)
        self.assertFalse(terminal.screen.cursor.hidden)
        self.assertEqual(terminal.raw.count(ENTER), 1)
        # The last picture stays, below what was there before.
        self.assertIn(b"pipeline.6", terminal.raw.split(LEAVE)[1])

    def test_a_terminal_may_change_its_size(self):
        terminal = Terminal(program.example("desk"), "--script", CALL)
        terminal.wait_for(lambda: "gain.1.1" in terminal.text(), "a module")
        terminal.resize(50, 16)
        # A picture of the size before may have been on its way.
        terminal.wait_for(lambda: terminal.screen.display[0].startswith("desk.tplg") and
                          re.match(r"and \d+ more", terminal.screen.display[15]), "a smaller picture")
        self.assertIn("system", terminal.text())
        self.assertRegex(terminal.text(), r"banks  [\d.]{14}  ")
        terminal.resize(3, 2)
        terminal.read(1)
        terminal.press(b"q")
        self.assertEqual(terminal.end(), 0)

    def test_it_waits_while_it_is_told_to(self):
        terminal = Terminal(program.example("desk"), "--script", CALL)
        terminal.wait_for(lambda: "pipeline.6" in terminal.text(), "an owner")
        terminal.press(b" ")
        terminal.wait_for(lambda: "waits" in terminal.screen.display[0], "the word")
        time_of = lambda: re.search(r"(\d:\d\d:\d\d\.\d+) of", terminal.screen.display[0]).group(1)
        stands = time_of()
        terminal.read(0.5)
        terminal.read(0.5)
        self.assertEqual(time_of(), stands)
        terminal.press(b" ")
        terminal.wait_for(lambda: time_of() != stands, "that it goes on")
        terminal.press(b"q")
        self.assertEqual(terminal.end(), 0)

    def test_the_terminal_is_left_as_it_was_however_it_ends(self):
        for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = Terminal(program.example("desk"), "--script", CALL)
            terminal.wait_for(lambda: "pipeline.6" in terminal.text(), "an owner")
            self.assertNotEqual(terminal.settings(), terminal.before)
            if end == signal.SIGINT:
                terminal.press(b"\x03")
            else:
                os.kill(terminal.pid, end)
            self.assertEqual(terminal.end(), -end)
            self.assertTrue(terminal.raw.endswith(LEAVE), terminal.raw[-200:])

    def test_a_run_that_ends_is_reported(self):
        terminal = Terminal(program.example("playback-mixer"), "--seconds", "0.2", "--speed", "0", rows=200)
        self.assertEqual(terminal.end(), 0)
        after = terminal.raw.split(LEAVE)[1]
        self.assertIn(b"Leaks: none", after)

    def test_what_is_wrong_is_said_before_anything_is_drawn(self):
        for arguments, kind in ((("nowhere.tplg",), "xterm"), ((program.example("desk"),), "dumb")):
            terminal = Terminal(*arguments, kind=kind)
            self.assertEqual(terminal.end(), 2)
            self.assertNotIn(b"\x1b", terminal.raw)


if __name__ == "__main__":
    program.main()
