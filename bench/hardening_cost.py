#!/usr/bin/python3
"""What each hardening level and each detector costs: the table of docs/hardening.md.

    hardening_cost.py PROGRAM PAGE            writes it into PAGE
    hardening_cost.py --check PROGRAM PAGE    fails where a figure is off by more than 5 %

PROGRAM is build/release/modmem-hardening-cost. Instructions are counted by callgrind, so that every
run has the same figures.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

BEGIN, END = "<!-- bench/hardening_cost.py writes this table -->\n", "<!-- end of the table -->\n"
CASES = ((40, 1000), (400, 1000), (4000, 1000), (0, 1))  # bytes of a pair, or an end; how often
HEADER = """\
| | pair of 40 B | of 400 B | of 4,000 B | end of 100 blocks | memory of a block | protecting calls, a pair |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""
TOLERANCE = 0.05


def output(*command):
    return subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE).stdout


def instructions(program, row, size):
    """What callgrind counts in the functions of the program that are to be counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={path}",
                        "--collect-atstart=no", "--toggle-collect=*counted_*", program, row, str(size)],
                       check=True)
        with open(path, encoding="utf-8") as file:
            return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)[1])


def rows(program):
    for row in output(program).splitlines():
        figures = [instructions(program, row, size) / times for size, times in CASES]
        yield row, figures + [int(figure) for figure in output(program, row).split()]


def table(program):
    text = HEADER
    for row, figures in rows(program):
        *counts, held, calls = figures
        cells = [f"{count:,.0f}" for count in counts] + [f"{held:,} B", f"{calls:,}"]
        text += f"| {row} | " + " | ".join(cells) + " |\n"
    return text


def figures_of(text):
    """{row: figures} of a table."""
    cells = [line.strip("|\n ").split("|") for line in text.splitlines()[2:]]
    return {row[0].strip(): [int(re.sub(r"[^0-9]", "", cell)) for cell in row[1:]] for row in cells}


def differences(before, now):
    for row, figures in now.items():
        was = before.get(row, [])
        if len(was) != len(figures) or any(abs(a - b) > TOLERANCE * max(a, 1)
                                           for a, b in zip(was, figures)):
            yield f"{row}: {was or 'nothing'}, now {figures}"
    yield from (f"{row}: is no row any more" for row in before.keys() - now.keys())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("program")
    parser.add_argument("page")
    args = parser.parse_args(arguments)
    with open(args.page, encoding="utf-8") as file:
        page = file.read()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    new = table(args.program)
    if not args.check:
        with open(args.page, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + new + END + after)
        return 0
    found = list(differences(figures_of(old), figures_of(new)))
    for line in found:
        print(f"{args.page}: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
