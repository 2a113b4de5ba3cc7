#!/usr/bin/python3
"""Check the models of what several cores do at once, and that a model that is broken is refused.

    check_models.py [MODEL...]          all *.pml of the repository that have properties, or these
    check_models.py --write [MODEL...]  writes the figures into docs/models.md as well

A model is Promela (spin). Its opening comment says what it models, and names, one a line at the start
of a comment's line,

    safety: ...                 assertions and deadlocks, which every model is checked for
    ltl NAME: ...               a formula `ltl NAME { ... }` below, checked under weak fairness
    BROKEN_NAME (PROPERTY): ... a mistake, made where BROKEN_NAME is defined: PROPERTY must not hold then

Each property is checked in every state that there is, so a search that was cut short is a failure, and
so is a mistake that passes. Exits with status 1 where something is not as it has to be, 2 where there
is nothing to check it with.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "models.md")
TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)

SAFETY = re.compile(r"^// safety: ", re.MULTILINE)
FORMULA = re.compile(r"^// ltl (\w+): ", re.MULTILINE)
MISTAKE = re.compile(r"^// (BROKEN_\w+) \((\w+)\): ", re.MULTILINE)
ERRORS = re.compile(r"errors: (\d+)")
STATES = re.compile(r"^ *([0-9.e+]+) states, stored", re.MULTILINE)
TRANSITIONS = re.compile(r"^ *([0-9.e+]+) transitions ", re.MULTILINE)
CUT_SHORT = ("max search depth too small", "out of memory", "memory limit", "resource")

DEPTH = 1000000
MEMORY_MB = 600
SECONDS = 60
EFFORT = "-O1"  # of the compiler, which takes as long as most searches


class Failure(Exception):
    pass


class Model:
    def __init__(self, path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            self.text = file.read()
        self.path = path
        self.properties = ["safety"] + FORMULA.findall(self.text)
        self.mistakes = MISTAKE.findall(self.text)
        defined = set(re.findall(r"^ltl (\w+)", self.text, re.MULTILINE))
        if not SAFETY.search(self.text):
            raise Failure(f"{path}: its comment does not say what is safe")
        if defined != set(self.properties[1:]):
            raise Failure(f"{path}: the formulas of the comment and those of the model differ")
        for name, which in self.mistakes:
            if which not in self.properties:
                raise Failure(f"{path}: {name} is to break {which}, which is no property")
        missing = set(self.properties) - {which for _, which in self.mistakes}
        if missing:
            raise Failure(f"{path}: no mistake is to break {', '.join(sorted(missing))}")


class Result:
    def __init__(self, output):
        errors = ERRORS.search(output)
        states = STATES.search(output)
        transitions = TRANSITIONS.search(output)
        if not errors or not states or not transitions:
            raise Failure(f"the search says nothing:\n{output}")
        self.holds = int(errors[1]) == 0
        self.states = int(float(states[1]))
        self.transitions = int(float(transitions[1]))
        self.is_whole = not any(each in output for each in CUT_SHORT)


def run(command, folder):
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{command[0]} takes more than {SECONDS} s") from error
    return done


def build(command, folder):
    done = run(command, folder)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}:\n{done.stdout}")


# Searches all states of the model, with the mistake where one is named.
def search(model, which, mistake=None):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(ROOT, model.path)
        defines = [f"-D{mistake}"] if mistake else []
        build(["gcc", "-std=gnu11", "-E", "-P", "-x", "c", "-I", ROOT, *defines, source,
               "-o", "model.pml"], folder)
        build(["spin", "-a", "model.pml"], folder)
        kind = ["-DNOCLAIM", "-DSAFETY"] if which == "safety" else ["-DNFAIR=3"]
        effort = "-O0" if mistake else EFFORT  # a mistake is found soon
        build(["gcc", effort, "-w", f"-DMEMLIM={MEMORY_MB}", *kind, "-o", "pan", "pan.c"], folder)
        liveness = [] if which == "safety" else ["-a", "-f", "-N", which]
        return Result(run(["./pan", f"-m{DEPTH}", "-w20", "-n", *liveness], folder).stdout)


def grouped(number):
    return f"{number:,}"


# Returns the rows of the table, and what is wrong.
def check(model):
    rows, wrong = [], []
    for which in model.properties:
        started = time.monotonic()
        result = search(model, which)
        held = result.holds and result.is_whole
        if not held:
            wrong.append(f"{model.path}: {which} {'is cut short' if result.holds else 'does not hold'}")
        broken = [name for name, breaks in model.mistakes if breaks == which]
        for name in broken:
            if search(model, which, name).holds:
                wrong.append(f"{model.path}: {which} holds with {name}")
        print(f"{model.path}: {which} {'holds' if held else 'FAILS'} in {grouped(result.states)} states, "
              f"{grouped(result.transitions)} transitions; {len(broken)} mistakes looked for "
              f"({time.monotonic() - started:.1f} s)", flush=True)
        rows.append(f"| `{model.path}` | {which} | {grouped(result.states)} | "
                    f"{grouped(result.transitions)} | {len(broken)} |\n")
    return rows, wrong


def all_models():
    listed = subprocess.run(["git", "ls-files", "*.pml"], cwd=ROOT, check=True, encoding="utf-8",
                            stdout=subprocess.PIPE).stdout.split()
    return [path for path in listed if has_properties(path)]


# A file without any is for others to include.
def has_properties(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return SAFETY.search(file.read()) is not None


# The table of the page has to be what was found.
def compare_page(rows, writes):
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    table = ("| model | property | states | transitions | mistakes refused |\n"
             "| --- | --- | ---: | ---: | ---: |\n" + "".join(rows))
    written = TABLE.sub(lambda _: table, page)
    if written == page:
        return []
    if not writes:
        return ["docs/models.md has other figures; scripts/check_models.py --write writes these"]
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(written)
    return []


def main():
    parser = argparse.ArgumentParser(description="Check the models of what several cores do at once.")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/models.md")
    parser.add_argument("models", metavar="MODEL", nargs="*")
    arguments = parser.parse_args()
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            print(f"check_models: {tool} is missing", file=sys.stderr)
            return 2
    rows, wrong = [], []
    try:
        for path in arguments.models or all_models():
            found, failed = check(Model(path))
            rows += found
            wrong += failed
        if not arguments.models:
            wrong += compare_page(rows, arguments.write)
    except Failure as failure:
        wrong.append(str(failure))
    for each in wrong:
        print(f"check_models: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
