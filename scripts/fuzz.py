#!/usr/bin/python3
"""Run fuzz targets, each for a given time, and keep what they find (docs/fuzzing.md).

    fuzz.py [--engine libfuzzer|afl] [--seconds N] [--targets NAME,...] [--jobs 1|2] BUILD

BUILD is a build folder with the engine's programs: build/fuzz, build/fuzz-afl. What an engine has
learnt stays in BUILD/fuzz/queue/TARGET and is where the next run begins. Inputs of a finding are
made as small as they get, stored in fuzz/found/TARGET (--found), and replayed by the tests from then
on; the command that replays one is printed.

Exit status: 0 nothing found, 1 something found, 2 a target can't be run.
"""

import argparse
import concurrent.futures
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What reads Kconfig fragments is Python: fuzz/fragments_fuzz.py, whatever the engine.
PYTHON_TARGETS = {"fragments": os.path.join(ROOT, "fuzz", "fragments_fuzz.py")}
MOST_BYTES = 16384    # of an input; longer ones only take longer
INPUT_SECONDS = 25    # that an input may take until it counts as a hang
SHRINK_SECONDS = 30   # that making an input smaller may take


class CannotRun(Exception):
    """A target that is not there, or ends without a finding and without success."""


def all_targets():
    corpus = os.path.join(ROOT, "fuzz", "corpus")
    return sorted(os.listdir(corpus))


class Target:
    """One target under one engine; `work` is a folder for what goes when it is done."""

    def __init__(self, name, arguments, work):
        self.name = name
        self.arguments = arguments
        self.work = work
        self.program = os.path.join(arguments.build, "fuzz", f"fuzz_{name}")
        self.corpus = os.path.join(ROOT, "fuzz", "corpus", name)
        self.found = os.path.join(arguments.found, name)
        self.queue = os.path.join(arguments.build, "fuzz", "queue", name)
        # Inputs that are written to files go with the folder.
        self.environment = dict(os.environ, TMPDIR=work, UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")

    def call(self, command, seconds, **environment):
        try:
            return subprocess.run(command, env=self.environment | environment, cwd=self.work,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=seconds, check=False)
        except FileNotFoundError as error:
            raise CannotRun(f"{self.name}: {error.filename} is not there") from error

    def inputs(self):
        return [folder for folder in (self.corpus, self.found) if os.path.isdir(folder)]

    def replay_command(self, path):
        name = self.replayer()
        return " ".join([*map(os.path.relpath, name), os.path.relpath(path)])

    def replayer(self):
        return [self.program]

    def keep(self, path):
        """Stores an input for good; gives its place."""
        with open(path, "rb") as file:
            name = hashlib.sha1(file.read()).hexdigest()[:12]
        os.makedirs(self.found, exist_ok=True)
        kept = os.path.join(self.found, name)
        shutil.copyfile(path, kept)
        return kept

    def run(self):
        """(what to say of the run, inputs of findings)."""
        raise NotImplementedError

    def shrink(self, path):
        """An input that finds the same and is as small as it gets."""
        raise NotImplementedError


class LibFuzzerTarget(Target):
    """Driven by libFuzzer."""

    def run(self):
        os.makedirs(self.queue, exist_ok=True)
        artifacts = os.path.join(self.work, "artifacts", "")
        os.makedirs(artifacts)
        seconds = [f"-max_total_time={self.arguments.seconds}"] if self.arguments.seconds else []
        runs = [f"-runs={self.arguments.runs}"] if self.arguments.runs else []
        result = self.call([self.program, *seconds, *runs, f"-seed={self.arguments.seed}",
                            f"-max_len={MOST_BYTES}", f"-timeout={INPUT_SECONDS}",
                            "-rss_limit_mb=3000", "-print_final_stats=1",
                            f"-artifact_prefix={artifacts}", self.queue, *self.inputs()], None)
        units = re.findall(r"stat::number_of_executed_units: (\d+)", result.stdout)
        speed = re.findall(r"stat::average_exec_per_sec: +(\d+)", result.stdout)
        found = sorted(glob.glob(artifacts + "*"))
        # Inputs that only took long have names of their own.
        found = [path for path in found if not os.path.basename(path).startswith("slow-unit")]
        if result.returncode != 0 and not found:
            raise CannotRun(f"{self.name}: status {result.returncode}\n{result.stdout[-3000:]}")
        if found:
            print(result.stdout[-6000:])
        return f"{units[0] if units else '?'} inputs, {speed[0] if speed else '?'} a second", found

    def shrink(self, path):
        small = os.path.join(self.work, "small")
        self.call([self.program, "-minimize_crash=1", f"-max_total_time={SHRINK_SECONDS}",
                   f"-timeout={INPUT_SECONDS}", f"-exact_artifact_path={small}", path], None)
        return small if os.path.exists(small) and os.path.getsize(small) else path


class AflTarget(Target):
    """Driven by AFL++."""

    SETTINGS = {"AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_NO_AFFINITY": "1",
                "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_AUTORESUME": "1",
                # As afl-fuzz wants them.
                "ASAN_OPTIONS": "abort_on_error=1:symbolize=0:detect_leaks=0",
                "UBSAN_OPTIONS": "abort_on_error=1:halt_on_error=1:symbolize=0"}

    def run(self):
        os.makedirs(self.queue, exist_ok=True)
        inputs = os.path.join(self.work, "inputs")
        os.mkdir(inputs)
        # It begins with inputs that find nothing, and wants one.
        with open(os.path.join(inputs, "least"), "wb") as file:
            file.write(b"\n")
        for folder in self.inputs():
            for path in glob.glob(os.path.join(folder, "*")):
                if 0 < os.path.getsize(path) <= 4 * MOST_BYTES:
                    shutil.copy(path, inputs)
        crashes = os.path.join(self.queue, "default", "crashes")
        hangs = os.path.join(self.queue, "default", "hangs")
        for folder in (crashes, hangs):
            shutil.rmtree(folder, ignore_errors=True)  # those of the run before
        runs = ["-E", str(self.arguments.runs)] if self.arguments.runs else []
        seconds = ["-V", str(self.arguments.seconds)] if self.arguments.seconds else []
        result = self.call(["afl-fuzz", "-i", inputs, "-o", self.queue, "-m", "none", "-s",
                            str(self.arguments.seed), "-t", f"{INPUT_SECONDS * 1000}", *runs, *seconds,
                            "--", self.program], None, **self.SETTINGS)
        found = sorted(glob.glob(os.path.join(crashes, "id:*")) + glob.glob(os.path.join(hangs, "id:*")))
        figures = {}
        try:
            with open(os.path.join(self.queue, "default", "fuzzer_stats"), encoding="utf-8") as file:
                figures = dict(map(str.strip, line.split(":", 1)) for line in file if ":" in line)
        except FileNotFoundError:
            pass
        if result.returncode != 0 and not found:
            raise CannotRun(f"{self.name}: status {result.returncode}\n{result.stdout[-3000:]}")
        return f"{figures.get('execs_done', '?')} inputs, {figures.get('execs_per_sec', '?')} a second", found

    def shrink(self, path):
        small = os.path.join(self.work, "small")
        try:
            self.call(["afl-tmin", "-i", path, "-o", small, "-m", "none", "-t",
                       f"{INPUT_SECONDS * 1000}", "--", self.program], 4 * SHRINK_SECONDS,
                      **self.SETTINGS)
        except subprocess.TimeoutExpired:
            return path
        return small if os.path.exists(small) and os.path.getsize(small) else path


class PythonTarget(Target):
    """A program of its own that makes the inputs."""

    def replayer(self):
        return [PYTHON_TARGETS[self.name]]

    def run(self):
        crash = os.path.join(self.work, "crash")
        result = self.call([sys.executable, "-B", PYTHON_TARGETS[self.name],
                            f"-seconds={self.arguments.seconds}", f"-runs={self.arguments.runs}",
                            f"-seed={self.arguments.seed}", f"-crash={crash}", *self.inputs()], None)
        if result.returncode != 0 and not os.path.exists(crash):
            raise CannotRun(f"{self.name}: status {result.returncode}\n{result.stdout[-3000:]}")
        print(result.stdout[-3000:], end="")
        runs = re.findall(r"and (\d+) inputs", result.stdout)
        return f"{runs[0] if runs else '?'} inputs", [crash] if os.path.exists(crash) else []

    def shrink(self, path):
        """Leaves lines out as long as it is found."""
        small = os.path.join(self.work, "small")
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
        at = 0
        while at < len(lines) and len(lines) > 1:
            fewer = lines[:at] + lines[at + 1:]
            with open(small, "wb") as file:
                file.write(b"\n".join(fewer))
            result = self.call([sys.executable, "-B", PYTHON_TARGETS[self.name], small], None)
            if result.returncode == 1:
                lines = fewer
            else:
                at += 1
        with open(small, "wb") as file:
            file.write(b"\n".join(lines))
        return small


def fuzz(name, arguments):
    """Runs one target; whether it found something."""
    kind = PythonTarget if name in PYTHON_TARGETS else \
        LibFuzzerTarget if arguments.engine == "libfuzzer" else AflTarget
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="modmem-fuzz-", dir=place) as work:
        target = kind(name, arguments, work)
        said, found = target.run()
        print(f"{name}: {said}: {'nothing' if not found else len(found)} found", flush=True)
        for path in found:
            kept = target.keep(target.shrink(path))
            print(f"{name}: {os.path.getsize(kept)} bytes find it again:\n"
                  f"  MODMEM_FUZZ_SHOW=1 {target.replay_command(kept)}", flush=True)
        return bool(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("libfuzzer", "afl"), default="libfuzzer")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; 0: as --runs says")
    parser.add_argument("--runs", type=int, default=0, help="inputs at most; 0: as --seconds says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default="", help="between commas; all where not given")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="targets at a time")
    parser.add_argument("--found", default=os.path.join(ROOT, "fuzz", "found"),
                        help="the folder for inputs of findings")
    parser.add_argument("build", metavar="BUILD")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    if not arguments.seconds and not arguments.runs:
        parser.error("neither --seconds nor --runs")
    targets = [name for name in arguments.targets.split(",") if name] or all_targets()
    unknown = sorted(set(targets) - set(all_targets()))
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(all_targets())}")
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            found = list(pool.map(lambda name: fuzz(name, arguments), targets))
    except CannotRun as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 2
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
