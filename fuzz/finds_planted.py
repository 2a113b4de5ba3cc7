#!/usr/bin/python3
"""Checks that a fuzz target finds what is planted, and nothing where nothing is.

    finds_planted.py PROGRAM RUNS CORPUS

Runs it on the corpus and RUNS inputs made from that, twice: as it is, and with
MODMEM_FUZZ_PLANT=1. The same inputs each time, whatever engine is in it.
"""

import os
import subprocess
import sys
import tempfile


def run(program, runs, corpus, planted):
    environment = dict(os.environ, MODMEM_FUZZ_PLANT="1" if planted else "0")
    # Engines keep what they find interesting in the first folder.
    with tempfile.TemporaryDirectory() as folder:
        environment["TMPDIR"] = folder
        inputs = os.path.join(folder, "inputs")
        os.mkdir(inputs)
        return subprocess.run([program, f"-runs={runs}", "-seed=1", inputs, corpus], cwd=folder,
                              env=environment, capture_output=True, text=True, errors="replace",
                              check=False)


def main():
    program, runs, corpus = sys.argv[1:]
    clean = run(program, runs, corpus, planted=False)
    if clean.returncode != 0:
        sys.exit(f"{program}: a finding, though nothing is planted:\n{clean.stderr[-4000:]}")
    planted = run(program, runs, corpus, planted=True)
    if planted.returncode == 0:
        sys.exit(f"{program}: what is planted is not found:\n"
                 f"{planted.stderr[-4000:]}")


if __name__ == "__main__":
    main()
