#!/usr/bin/python3
"""Count the instructions of allocate, free and map in firmware, in QEMU.

    latency_report.py write MACHINE...     measures, writes firmware/latency.json and docs/latency.md
    latency_report.py check MACHINE...     measures, and compares with firmware/latency.json

MACHINE is cortex-m, riscv or xtensa: build/MACHINE/firmware/latency is the image that counts. Its
report has lines "# latency NAME COUNT LEAST MEAN P99 MOST" and "# pages NAME PAGES".

Exits with status 1 where the image fails, where a mean, 99th percentile or worst case has become worse
by more than 5 %, or where the worst case grows with the number of live blocks; 2 where nothing can be
measured.
"""

import argparse
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "firmware"))
import run_images  # noqa: E402

FIGURES = os.path.join("firmware", "latency.json")
TEMPLATE = os.path.join("firmware", "latency", "latency.md.in")
PAGE = os.path.join("docs", "latency.md")
PLACE = re.compile(r"^@([a-z0-9 -]+)@$", re.MULTILINE)
LINE = re.compile(r"# latency (\S+) (\d+) (\d+) (\d+) (\d+) (\d+)$")
PAGES = re.compile(r"# pages (\S+) (\d+)$")

SECONDS = 100  # for an image: with those of run_images.py, ten minutes for three machines
ONE_CORE = ["-smp", "1"]  # another's first instructions would be counted, now here and now there
WORSE_PERCENT = 5
# What is random in the slowest of some thousand operations.
INDEPENDENT = 1.1

MACHINES = {"cortex-m": "Cortex-M4", "riscv": "RISC-V", "xtensa": "Xtensa"}
KINDS = ("least", "mean", "p99", "most")
KEPT = ("mean", "p99", "most")  # those that must not become worse
SIZES = {"64": "up to 64 B", "256": "up to 256 B", "1024": "up to 1 KiB", "4096": "up to 4 KiB", "more": "larger"}
TARGETS = {"heap": "ElasticHeap", "memory": "Memory", "pooled": "Memory, metadata in the pool"}
REQUESTS = {"128": "1 to 128 B", "4096": "1 B to 4 KiB", "16384": "4 to 16 KiB"}
LEVELS = ("100", "1000", "10000")
SERIES = {"heap": ("same-sizes", "same-memory"), "memory": ("same-sizes", "same-memory"),
          "pooled": ("same-sizes",)}


class LatencyError(Exception):
    """One line that says what can't be measured, and why."""


# --- the image's report ---

def parse(text):
    """{"calls": {name: {"count", "least", ...}}, "pages": {name: pages}} of a report."""
    calls, pages = {}, {}
    for line in text.splitlines():
        if match := LINE.match(line):
            values = map(int, match.groups()[1:])
            calls[match[1]] = dict(zip(("count", *KINDS), values))
        elif match := PAGES.match(line):
            pages[match[1]] = int(match[2])
    if not calls:
        raise LatencyError("its report has no figures")
    return {"calls": calls, "pages": pages}


def measure(machine, root):
    """(figures of one machine, what is wrong with its run or None)."""
    path = os.path.join("build", machine, "firmware", "latency")
    if not os.path.exists(os.path.join(root, path)):
        raise LatencyError(f"{path}: there is no such image")
    status, text = run_images.run(machine, os.path.join(root, path), SECONDS, ONE_CORE)
    if status is None:
        return None, f"{machine}: not ended after {SECONDS} s"
    reason = run_images.why_image_fails(machine, "latency", status, text)
    if reason is not None:
        return None, f"{machine}: {reason}\n{text}"
    return parse(text), None


# --- comparing ---

def is_worse(now, before):
    return now * 100 > before * (100 + WORSE_PERCENT)


def compare(now, before):
    """(what is wrong, what got better) of the figures of machines, as lines."""
    wrong, notes = [], []
    for machine, figures in now.items():
        known_calls = before.get(machine, {}).get("calls", {})
        for name in sorted(known_calls.keys() - figures["calls"].keys()):
            wrong.append(f"{machine} {name}: is not measured any more")
        for name, call in figures["calls"].items():
            known = known_calls.get(name)
            if known is None:
                wrong.append(f"{machine} {name}: not in {FIGURES}")
                continue
            worse = [f"{kind} from {known[kind]:,} to {call[kind]:,}" for kind in KEPT
                     if is_worse(call[kind], known[kind])]
            better = [f"{kind} from {known[kind]:,} to {call[kind]:,}" for kind in KEPT
                      if is_worse(known[kind], call[kind])]
            if worse:
                wrong.append(f"{machine} {name}: more instructions: {', '.join(worse)}")
            elif better:
                notes.append(f"{machine} {name}: {', '.join(better)}: `make latency` keeps that")
    return wrong, notes


def name_at(target, series, operation, request, level):
    """The name of an operation's figures; those of 10,000 blocks are of both series."""
    return "/".join((target, series if level != LEVELS[-1] else "same-sizes", operation, request, level))


def slowest(calls, target, series, operation, requests, level):
    return max(calls[name_at(target, series, operation, request, level)]["most"] for request in requests)


def rules():
    """(target, series, operation, requests) whose slowest must not depend on the number of blocks.

    With the same memory in use that holds for all requests; with the same sizes, which take more pages
    when there are more of them, for what needs no look beyond a page, and for each free.
    """
    for target in ("heap", "memory"):
        for operation in ("allocate", "free"):
            yield target, "same-memory", operation, tuple(REQUESTS)
        yield target, "same-sizes", "allocate", ("128",)
        yield target, "same-sizes", "free", tuple(REQUESTS)


def dependences(figures):
    """Lines on what of a machine grows with the number of live blocks."""
    found = []
    for target, series, operation, requests in rules():
        few, more, many = (slowest(figures["calls"], target, series, operation, requests, level)
                           for level in LEVELS)
        if many > INDEPENDENT * max(few, more):
            found.append(f"the slowest {operation} of {TARGETS[target]} ({series}) grows with live blocks: "
                         f"{few:,}, {more:,}, {many:,} instructions with 100, 1,000, 10,000")
    return found


# --- the page ---

def table(head, rows, texts=1):
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replay_table(figures):
    rows = []
    for operation in ("allocate", "free"):
        for size, title in SIZES.items():
            own = figures["calls"].get(f"replay/own/{operation}/{size}")
            if own is None:
                continue
            mapped = figures["calls"][f"replay/with-mapping/{operation}/{size}"]
            rows.append([operation, title, f"{own['count']:,}", *(f"{own[kind]:,}" for kind in KINDS),
                         f"{mapped['mean']:,}", f"{mapped['most']:,}"])
    for operation in ("map", "unmap"):
        call = figures["calls"][f"replay/{operation}"]
        rows.append([operation, "a page, by the port", f"{call['count']:,}",
                     *(f"{call[kind]:,}" for kind in KINDS), "", ""])
    return table(["call", "of", "calls", "least", "mean", "99 %", "worst", "mean with mapping",
                  "worst with mapping"], rows, texts=2)


def level_table(figures, series):
    """The slowest, and the mean, with each number of live blocks."""
    rows = []
    for target, known in SERIES.items():
        for operation in ("allocate", "free") if series in known else ():
            for request, title in REQUESTS.items():
                calls = [figures["calls"][name_at(target, series, operation, request, level)] for level in LEVELS]
                rows.append([TARGETS[target], operation, title, *(f"{call['mean']:,}" for call in calls),
                             *(f"{call['p99']:,}" for call in calls), *(f"{call['most']:,}" for call in calls)])
    head = [f"{kind}, {int(level):,}" for kind in ("mean", "99 %", "worst") for level in LEVELS]
    return table(["of", "call", "request", *head], rows, texts=3)


def page_table(figures):
    rows = []
    for series, title in (("same-sizes", "the same sizes"), ("same-memory", "the same memory")):
        rows.append([title, *(str(figures["pages"][f"heap/{series if level != LEVELS[-1] else 'same-sizes'}/{level}"])
                              for level in LEVELS)])
    return table(["pages in use", *(f"{int(level):,} blocks" for level in LEVELS)], rows)


def rule_table(figures):
    """What is checked, on all machines."""
    rows = []
    for target, series, operation, requests in rules():
        what = "all requests" if len(requests) > 1 else REQUESTS[requests[0]]
        row = [TARGETS[target], operation, what, series.replace("-", " ")]
        for machine in MACHINES:
            values = [slowest(figures[machine]["calls"], target, series, operation, requests, level)
                      for level in LEVELS]
            row.append(", ".join(f"{value:,}" for value in values))
        rows.append(row)
    return table(["of", "call", "request", "blocks of", *MACHINES.values()], rows, texts=4)


def make_page(template, figures):
    places = {"rules": rule_table(figures), "pages": page_table(figures["riscv"])}
    for machine in MACHINES:
        places["command " + machine] = "    " + " ".join(
            [*run_images.MACHINES[machine], *run_images.COUNTED, *ONE_CORE, "-kernel", f"build/{machine}/firmware/latency"])
        places["replay " + machine] = replay_table(figures[machine])
        for series in SERIES["heap"]:
            places[f"{series} {machine}"] = level_table(figures[machine], series)
    return PLACE.sub(lambda match: places[match[1]], template)


# --- commands ---

def read_figures(root):
    path = os.path.join(root, FIGURES)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def fail(lines):
    for line in lines:
        print("latency_report:", line, file=sys.stderr)
    if lines:
        sys.exit(1)


def measure_all(machines, root):
    """The figures of the machines, with what is wrong with their runs and their worst cases."""
    figures, wrong = {}, []
    for machine in machines:
        figures[machine], reason = measure(machine, root)
        wrong += [reason] if reason else [f"{machine}: {line}" for line in dependences(figures[machine])]
    return figures, wrong


def dump(figures):
    """As JSON, with a line for each call."""
    lines = []
    for machine, of_machine in figures.items():
        parts = [f'  "{part}": {{\n' + ",\n".join(f'   "{name}": {json.dumps(value)}' for name, value in
                                                 of_machine[part].items()) + "\n  }" for part in ("calls", "pages")]
        lines.append(f' "{machine}": {{\n' + ",\n".join(parts) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(machines, root):
    measured, wrong = measure_all(machines, root)
    fail([line for line in wrong if None in measured.values()])
    figures = {**read_figures(root), **measured}
    missing = [machine for machine in MACHINES if machine not in figures]
    if missing:
        raise LatencyError(f"{FIGURES} has nothing of {', '.join(missing)} yet: measure all machines")
    with open(os.path.join(root, FIGURES), "w", encoding="utf-8") as file:
        file.write(dump({machine: figures[machine] for machine in MACHINES}))
    with open(os.path.join(root, TEMPLATE), encoding="utf-8") as file:
        page = make_page(file.read(), figures)
    with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
        file.write(page)
    print(f"latency_report: wrote {FIGURES} and {PAGE}")
    fail(wrong)


def check(machines, root):
    now, wrong = measure_all(machines, root)
    worse, notes = compare({machine: figures for machine, figures in now.items() if figures}, read_figures(root))
    for note in notes:
        print("latency_report:", note)
    if worse:
        worse.append("to accept that, run `make latency`, commit what it writes, and say in the commit "
                     "what the instructions are for")
    fail(wrong + worse)
    print(f"latency_report: no call takes {WORSE_PERCENT} % more instructions, nor, where docs/latency.md says so, more with more live blocks, "
          f"on {', '.join(machines)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("write", "check"):
        command = commands.add_parser(name)
        command.add_argument("machines", nargs="+", choices=sorted(MACHINES), metavar="MACHINE")
        command.add_argument("--root", default=ROOT, help="folder of the repository")
    arguments = parser.parse_args()
    try:
        (write if arguments.command == "write" else check)(arguments.machines, arguments.root)
    except LatencyError as error:
        print(f"latency_report: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
