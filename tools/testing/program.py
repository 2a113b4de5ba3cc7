"""The modmem program, as tests run it: arguments in, exit status and both outputs out.

A test module ends with `program.main()`; CTest gives it the program and the folders of topologies:

    some_test.py PROGRAM EXAMPLES TEST_TOPOLOGIES [unittest's arguments]
"""

import array
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import wave

# A run that takes longer hangs; no test depends on how long one takes.
TIMEOUT_SECONDS = 400

SKIPPED = 77

Result = collections.namedtuple("Result", "status out err")

_paths = {}


def path():
    return _paths["program"]


def has_sanitizer():
    """Whether a sanitizer watches the program: it finds some mistakes first, and has limits of its own."""
    cache = (pathlib.Path(path()).parent / "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(r"^MODMEM_SANITIZE:STRING=.+$", cache, re.M) is not None


def example(name):
    return str(_paths["examples"] / (name + ".tplg"))


def test_topology(name):
    return str(_paths["test topologies"] / (name + ".tplg"))


def module(name):
    """A loadable module of examples/modules."""
    return str(_paths["examples"].parent / "modules" / f"lib{name}.so")


def test_module(name):
    """One of testbench/testing/modules."""
    return str(_paths["test topologies"].parent / "modules" / f"lib{name}.so")


def our_topologies():
    """All that the build compiled."""
    return sorted(str(file) for folder in ("examples", "test topologies")
                  for file in _paths[folder].glob("*.tplg"))


def production_topologies():
    """Those under $MODMEM_SHARED, or in `shared` beside the repository; maybe none."""
    beside = pathlib.Path(__file__).resolve().parents[3] / "shared"
    shared = pathlib.Path(os.environ.get("MODMEM_SHARED", beside))
    return sorted(str(file) for file in (shared / "topologies").glob("*.tplg"))


def run(*arguments, **options):
    """Runs `modmem ARGUMENTS` to its end."""
    process = subprocess.run([path(), *map(str, arguments)], capture_output=True, text=True,
                             errors="surrogateescape", timeout=TIMEOUT_SECONDS, check=False,
                             stdin=subprocess.DEVNULL, **options)
    return Result(process.returncode, process.stdout, process.stderr)


def platforms_of(topology):
    """A large platform and the smallest that has the cores for `topology`."""
    return ("mtl", "lnl") if pathlib.Path(topology).name.startswith("desk") else ("mtl", "mcu")


def load_json(file):
    with open(file, encoding="utf-8") as data:
        return json.load(data)


def write_wav(file, frames, channels=2, rate=48000):
    """Writes a 16-bit file of a saw-tooth; returns its samples as bytes."""
    samples = array.array("h", (i * 257 % 65536 - 32768 for i in range(frames * channels)))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(file), "wb") as output:
        output.setparams((channels, 2, rate, frames, "NONE", ""))
        output.writeframes(samples.tobytes())
    return samples.tobytes()


def read_wav(file):
    with wave.open(str(file), "rb") as audio:
        return audio.readframes(audio.getnframes())


class TestCase(unittest.TestCase):
    """A folder of its own for each test, with 20 ms of audio in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="modmem-tools-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.audio = self.folder / "in.wav"
        self.samples = write_wav(self.audio, 960)

    def entries(self):
        return sorted(os.listdir(self.folder))

    def run_topology(self, topology, *arguments, statuses=(0,)):
        """Plays the audio; returns the report as data. The exit status must be one of these."""
        result = run("run", topology, "--in", self.audio, "--json", "-", *arguments)
        self.assertIn(result.status, statuses, f"{topology}: {result.err}")
        return json.loads(result.out)

    def assert_refused(self, arguments, *names, **options):
        """The program says in one line what is wrong, naming `names`, and nothing else."""
        result = run(*arguments, **options)
        self.assertEqual(result.status, 2, f"{arguments}: {result}")
        self.assertEqual(result.out, "", arguments)
        self.assertRegex(result.err, r"\Amodmem: [^\n]{8,}\n\Z", arguments)
        for name in names:
            self.assertIn(str(name), result.err, arguments)
        return result.err


def main():
    for key in ("program", "examples", "test topologies"):
        _paths[key] = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
