#!/usr/bin/python3
"""Tests of edit_config.py, through a terminal: keys in, defconfigs out."""

import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(SCRIPTS)
PYTHON = "/usr/bin/python3"  # the one that has kconfiglib

# A session that says nothing for so long hangs; no test depends on how long one takes.
TIMEOUT_SECONDS = 60

# The menu takes its keys one by one, however early they come once it is open.
ENTER = "\n"
CLEAR_LINE = "\x15"
QUIT, YES, NO = "q", "y", "n"


def setting(name, value):
    """The keys that jump to an option and give it a value, from wherever the menu stands."""
    return "/" + name + ENTER + ENTER + CLEAR_LINE + value + ENTER


class Session:
    """edit_config.py in a terminal of its own, ended with `test` at the latest."""

    def __init__(self, test, *arguments):
        self.terminal, other_end = pty.openpty()
        self.process = subprocess.Popen(
            [PYTHON, "-B", os.path.join(SCRIPTS, "edit_config.py"), *arguments],
            stdin=other_end, stdout=other_end, stderr=other_end,
            env={**os.environ, "TERM": "xterm", "LINES": "40", "COLUMNS": "120"})
        os.close(other_end)
        test.addCleanup(self.end)
        self.seen = ""

    def read(self):
        ready, _, _ = select.select([self.terminal], [], [], TIMEOUT_SECONDS)
        if not ready:
            raise AssertionError(f"no more output, after: {self.seen[-2000:]}")
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the other end is closed
            data = b""
        self.seen += data.decode(errors="replace")
        return data

    def wait_for(self, text):
        """Reads until `text` shows, and forgets all up to it."""
        while text not in self.seen:
            if not self.read():
                raise AssertionError(f"ended without {text!r}: {self.seen[-2000:]}")
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def send(self, keys):
        os.write(self.terminal, keys.encode())

    def finish(self):
        """All that it still says, and its exit status."""
        while self.read():
            pass
        return self.seen, self.process.wait(TIMEOUT_SECONDS)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.terminal)


class EditConfigTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.configs = os.path.join(self.folder, "configs")
        os.mkdir(self.configs)

    def write(self, name, text):
        with open(os.path.join(self.configs, f"{name}_defconfig"), "w", encoding="utf-8") as file:
            file.write(text)

    def text(self, name):
        with open(os.path.join(self.configs, f"{name}_defconfig"), encoding="utf-8") as file:
            return file.read()

    def open_menu(self, name):
        session = Session(self, "--configs", self.configs, "--config", name)
        session.wait_for("Platform")
        return session

    def test_edits_the_value_and_keeps_the_rest(self):
        self.write("chip", "# A chip.\nCONFIG_PLATFORM=\"chip\"\n\n# as in its manual\n"
                           "CONFIG_CORES=3\nCONFIG_MAX_HEAPS=32\n")
        session = self.open_menu("chip")
        session.send(setting("MAX_HEAPS", "48") + QUIT + YES)
        said, status = session.finish()
        self.assertEqual(status, 0, said)
        self.assertIn("make run CONFIG=chip", said)
        self.assertEqual(self.text("chip"),
                         "# A chip.\nCONFIG_PLATFORM=\"chip\"\n\n# as in its manual\n"
                         "CONFIG_CORES=3\nCONFIG_MAX_HEAPS=48\n")

    def test_makes_a_new_one_of_what_differs(self):
        session = self.open_menu("mine")
        session.send(setting("RETAINED_PAGES", "2") + QUIT + YES)
        said, status = session.finish()
        self.assertEqual(status, 0, said)
        self.assertEqual(self.text("mine"), "CONFIG_RETAINED_PAGES=2\n")

    def test_leaves_the_file_where_nothing_is_saved(self):
        for keys in (QUIT, setting("MAX_HEAPS", "48") + QUIT + NO):
            with self.subTest(keys=keys):
                self.write("chip", "CONFIG_MAX_HEAPS=32\n")
                session = self.open_menu("chip")
                session.send(keys)
                said, status = session.finish()
                self.assertEqual(status, 0, said)
                self.assertIn("is as it was", said)
                self.assertEqual(self.text("chip"), "CONFIG_MAX_HEAPS=32\n")

    def test_never_writes_what_does_not_hold(self):
        self.write("chip", "CONFIG_PAGE_BYTES=4096\n")
        session = self.open_menu("chip")
        session.send(setting("PAGE_BYTES", "5000") + QUIT + YES)
        session.wait_for("PAGE_BYTES: 5000 is not a power of two")
        session.wait_for("Enter opens the menu again")
        self.assertEqual(self.text("chip"), "CONFIG_PAGE_BYTES=4096\n")
        # The menu still has what was entered, and takes what mends it.
        session.send(ENTER)
        session.wait_for("Platform")
        session.send(setting("PAGE_BYTES", "8192") + QUIT + YES)
        said, status = session.finish()
        self.assertEqual(status, 0, said)
        self.assertEqual(self.text("chip"), "CONFIG_PAGE_BYTES=8192\n")

    def test_refuses_a_file_that_does_not_hold(self):
        self.write("chip", "CONFIG_MAX_HEAPS=many\n")
        said, status = Session(self, "--configs", self.configs, "--config", "chip").finish()
        self.assertEqual(status, 1)
        self.assertIn("MAX_HEAPS", said)
        self.assertEqual(self.text("chip"), "CONFIG_MAX_HEAPS=many\n")

    def test_wants_a_name_and_a_terminal(self):
        for name, reason in (("../host", "is not a name"), ("host", "needs a terminal")):
            result = subprocess.run(
                [PYTHON, "-B", os.path.join(SCRIPTS, "edit_config.py"), "--configs", self.configs,
                 "--config", name],
                capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            self.assertEqual(result.returncode, 2)
            self.assertIn(reason, result.stderr)
            self.assertEqual(os.listdir(self.configs), [])


if __name__ == "__main__":
    unittest.main()
