#!/usr/bin/python3
"""Check that tests reach every line of the core, and nearly every branch.

    check_coverage.py BUILD_FOLDER [--no-run] [--json FILE]

BUILD_FOLDER is a build of the preset `coverage`. The tests of the folders below are run, with the
counts of earlier runs dropped, and what they reach is held against:

  * lines: all, but for those that scripts/coverage_exceptions.toml lists with a reason;
  * branches: at least 95 % in each folder. Not counted are those of exceptions that C++ may throw,
    of lines that decide nothing (gcov counts what was inlined there), and of assertions and of
    functions named check..., which ask whether the library itself is broken: it is not. So the lines
    where those find that it is, `return false;`, need not be reached.

An exception for a line that is reached, or is not there, is refused as well: the list says what is
so. Prints the figures of each folder; exits with status 1 where something is not as it has to be.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib

# What a line has that decides something.
DECISION = re.compile(r"\b(?:if|while|for|switch)\b|\?|&&|\|\|")
# The first line of a function that looks at invariants.
CHECK = re.compile(r"(\s*)(?:static )?bool (?:\w+::)*(?:do_)?check\w*\(")
FOLDERS = ("page", "heap", "memory", "module", "capi")
LEAST_BRANCHES = 0.95
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
EXCEPTIONS = os.path.join(ROOT, "scripts", "coverage_exceptions.toml")


class Figures:
    """What of a folder is reached."""

    def __init__(self):
        self.lines = self.reached = self.excepted = 0
        self.branches = self.taken = 0

    def add(self, other):
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def branch_share(self):
        return self.taken / self.branches if self.branches else 1.0


def run_tests(build):
    """Drop the counts of earlier runs, and count again. False where a test fails."""
    for folder, _, files in os.walk(build):
        for file in files:
            if file.endswith(".gcda"):
                os.remove(os.path.join(folder, file))
    # Counting makes every operation slower, and ten million more reach no other line.
    environment = {"MODMEM_RANDOM_OPERATIONS": "1000000", **os.environ}
    passed = True
    for folder in FOLDERS:
        result = subprocess.run(
            ["ctest", "--test-dir", os.path.join(build, folder), "--output-on-failure", "--no-tests=error",
             "--parallel", str(os.cpu_count())], env=environment, check=False,
            stdout=subprocess.PIPE, text=True)
        if result.returncode != 0:
            print(result.stdout, end="", file=sys.stderr)
            passed = False
    return passed


def count(build):
    """What gcovr says of the files of FOLDERS."""
    filters = [argument for folder in FOLDERS for argument in ("--filter", f"{ROOT}/{folder}/")]
    output = subprocess.run(
        ["gcovr", "--root", ROOT, "--object-directory", build, "-j", str(os.cpu_count()), *filters,
         "--exclude", r".*_test\.(cpp|c)", "--exclude", r".*_testing\.hpp",
         "--exclude", r"(page|heap|memory|module)/testing/.*", "--exclude", r"capi/tests/.*",
         "--exclude", r"capi/testing/failing_program\.c",
         "--exclude-unreachable-branches", "--exclude-throw-branches",
         "--exclude-branches-by-pattern", r".*MODMEM_ASSERT.*", "--json", "-"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)["files"]


def read_exceptions(path):
    """{file: {line's text: reason}}"""
    with open(path, "rb") as file:
        listed = tomllib.load(file).get("exception", [])
    exceptions = {}
    for each in listed:
        lines = exceptions.setdefault(each["file"], {})
        for text in each["lines"]:
            lines[text.strip()] = each["reason"]
    return exceptions


def lines_of_checks(texts):
    """The numbers of the lines of functions that look at invariants."""
    numbers = set()
    end = None
    for number, text in enumerate(texts, 1):
        begins = CHECK.match(text)
        if end is None and begins and not text.endswith((";", "}")):
            end = begins[1] + "}"
        if end is not None:
            numbers.add(number)
        if text == end:
            end = None
    return numbers


def look_at(file, exceptions, figures, root=ROOT):
    """Add a file's figures to its folder's. Yields what is wrong."""
    name = file["file"]
    mine = figures.setdefault(name.partition("/")[0], Figures())
    with open(os.path.join(root, name), encoding="utf-8") as source:
        texts = source.read().split("\n")
    checks = lines_of_checks(texts)
    used = set()
    for line in file["lines"]:
        if line.get("gcovr/noncode") or line.get("gcovr/excluded"):
            continue
        mine.lines += 1
        text = texts[line["line_number"] - 1].strip()
        if line["count"] > 0:
            mine.reached += 1
        elif text in exceptions.get(name, {}):
            mine.excepted += 1
            used.add(text)
        elif line["line_number"] in checks and text == "return false;":
            mine.excepted += 1
        else:
            yield f"{name}:{line['line_number']}: not reached: {text}"
        if line["line_number"] in checks or not DECISION.search(text):
            continue
        branches = [each for each in line["branches"] if not each.get("gcovr/excluded")]
        mine.branches += len(branches)
        mine.taken += sum(each["count"] > 0 for each in branches)
    for text in exceptions.get(name, {}):
        if text not in used:
            yield f"{name}: an exception that is none (reached, or not there): {text}"


def check(files, exceptions, root=ROOT):
    """Returns the figures of each folder, and what is wrong."""
    figures = {}
    wrong = [line for file in files for line in look_at(file, exceptions, figures, root)]
    known = {file["file"] for file in files}
    wrong += [f"{name}: exceptions for a file that is not counted" for name in exceptions if name not in known]
    for folder, each in figures.items():
        if each.branch_share() < LEAST_BRANCHES:
            wrong.append(f"{folder}/: {100 * each.branch_share():.1f} % of branches, "
                         f"and {100 * LEAST_BRANCHES:.0f} % have to be")
    return figures, wrong


def to_text(figures):
    total = Figures()
    for each in figures.values():
        total.add(each)
    lines = [f"{'folder':10} {'lines':>7} {'reached':>8} {'excepted':>9} {'branches':>9} {'taken':>7} {'share':>7}"]
    for name, each in [*sorted(figures.items()), ("all", total)]:
        lines.append(f"{name:10} {each.lines:7} {each.reached:8} {each.excepted:9} {each.branches:9} "
                     f"{each.taken:7} {100 * each.branch_share():6.1f}%")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--no-run", action="store_true", help="take the counts that are there")
    parser.add_argument("--json", help="what gcovr said is written there")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    if not arguments.no_run and not run_tests(build):
        return 1
    files = count(build)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(files, file)
    figures, wrong = check(files, read_exceptions(EXCEPTIONS))
    print(to_text(figures))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
