#!/usr/bin/python3
"""Tests of check_models.py, on small models that are sound, or wrong in one way each."""

import contextlib
import io
import os
import shutil
import tempfile
import unittest
from unittest import mock

import check_models

SOUND = """// Two processes count up to four.
//
// safety: they do not count further.
// ltl ends: they come to four.
// BROKEN_MORE (safety): one counts on.
// BROKEN_FEWER (ends): both stop early.

#ifdef BROKEN_FEWER
#define MOST 3
#else
#define MOST 4
#endif

byte count = 0;

active [2] proctype counts() {
  do
  :: atomic { count < MOST -> count++ }
  :: count >= MOST -> break
  od;
#ifdef BROKEN_MORE
  count++;
#endif
  assert(count <= 4)
}

ltl ends { <> (count == 4) }
"""


class CheckModelsTest(unittest.TestCase):
    def check(self, text):
        """Checks a model; returns the exit status and what was printed."""
        output = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.pml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), \
                    mock.patch("sys.argv", ["check_models.py", path]), \
                    mock.patch.object(check_models, "EFFORT", "-O0"):
                status = check_models.main()
        return status, output.getvalue()

    def assert_refused(self, text, reason):
        self.assertNotEqual(text, SOUND)
        status, output = self.check(text)
        self.assertEqual(status, 1, output)
        self.assertIn(reason, output)

    def test_a_sound_model_passes(self):
        status, output = self.check(SOUND)
        self.assertEqual(status, 0, output)
        self.assertIn("safety holds", output)
        self.assertIn("ends holds", output)

    def test_what_does_not_hold_is_told(self):
        self.assert_refused(SOUND.replace("<> (count == 4)", "<> (count == 5)"), "ends does not hold")

    def test_a_deadlock_is_told(self):
        waits = SOUND.replace("  assert(count <= 4)", "  count == 9")
        self.assert_refused(waits, "safety does not hold")

    def test_a_mistake_that_passes_is_told(self):
        passes = SOUND.replace("#ifdef BROKEN_MORE", "#ifdef BROKEN_LESS")
        self.assert_refused(passes, "safety holds with BROKEN_MORE")

    def test_a_search_that_is_cut_short_is_told(self):
        with mock.patch.object(check_models, "DEPTH", 3):
            self.assertEqual(self.check(SOUND)[0], 1)

    def test_the_comment_and_the_model_agree(self):
        self.assert_refused(SOUND.replace("// safety: ", "// "), "what is safe")
        self.assert_refused(SOUND.replace("// ltl ends: ", "// "), "differ")
        self.assert_refused(SOUND.replace("(safety)", "(always)"), "is no property")
        self.assert_refused(SOUND.replace("BROKEN_FEWER (ends)", "BROKEN_FEWER (safety)"),
                            "no mistake is to break ends")

    def test_what_is_no_promela_is_told(self):
        self.assert_refused(SOUND.replace("byte count", "bytes count"), "spin -a")


if __name__ == "__main__":
    if not all(shutil.which(tool) for tool in ("spin", "gcc")):
        print("check_models_test: skipped, as spin or gcc is missing")
    else:
        unittest.main()
