#!/usr/bin/python3
"""Measures everything and writes docs/benchmarks.md and its plots.

    write_benchmarks.py BUILD_FOLDER [--quick] [--traces DIR] [--figures FILE]

Runs modmem-bench for every goal, modmem replay for every policy, and modmem-operations; keeps all
figures in BUILD_FOLDER/benchmarks.json, and puts them in the places that bench/benchmarks.md.in has
for them. With --figures it measures nothing, and writes the page from such a file.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

import benchmark_plots

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOALS = range(1, 8)
POLICIES = ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all")
LOADS = ("day", "busy")
EVENTS = {False: 20000, True: 2000}
PLACE = re.compile(r"^@([a-z0-9 ]+)@$", re.MULTILINE)


def run(command, accept=(0,)):
    """Runs it, with its output where it is seen. Ends the program where it fails."""
    print("+", " ".join(command[:6]), "..." if len(command) > 6 else "", flush=True)
    result = subprocess.run(command, check=False)
    if result.returncode not in accept:
        sys.exit(f"write_benchmarks: {command[0]} failed with status {result.returncode}")


def traces(folder):
    """The recorded streams, as modmem-bench finds them."""
    shared = os.environ.get("MODMEM_SHARED", os.path.join(ROOT, "..", "shared"))
    folders = [folder] if folder else [os.path.join(shared, "traces"),
                                       os.path.join(ROOT, "examples", "traces")]
    for candidate in folders:
        names = sorted(os.listdir(candidate)) if os.path.isdir(candidate) else []
        found = [os.path.join(candidate, name) for name in names if name.endswith(".csv")]
        if found:
            return found
    sys.exit("write_benchmarks: there are no recorded traces (*.csv) in " + ", ".join(folders))


def first_match(path, pattern, default):
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
    return match[1].strip() if match else default


def machine():
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    return {"cpu": first_match("/proc/cpuinfo", r"^model name\s*:(.*)$", platform.machine()),
            "cores": os.cpu_count(),
            "compiler": compiler.stdout.splitlines()[0]}


def measure(build, arguments):
    """All figures."""
    figures = {"machine": machine(), "quick": arguments.quick, "goals": {}, "policies": {}}
    quick = ["--quick"] if arguments.quick else []
    where = ["--traces", arguments.traces] if arguments.traces else []
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "figures.json")

        def read():
            with open(output, encoding="utf-8") as file:
                return json.load(file)

        bench = os.path.join(build, "modmem-bench")
        for goal in GOALS:
            # A goal that is missed is a figure too.
            run([bench, "--goal", str(goal), "--json", output, *quick, *where], accept=(0, 1))
            figures["goals"][str(goal)] = read()
        run([bench, "--deep-buffers", "--json", output], accept=(0, 1))
        figures["deep buffers"] = read()

        modmem = os.path.join(build, "modmem")
        for load in LOADS:
            day = os.path.join(folder, load + ".csv")
            run([modmem, "compose", *traces(arguments.traces), "--streams", "8", "--events",
                 str(EVENTS[arguments.quick]), "--seed", "1", "--load", load, "-o", day])
            run([modmem, "replay", day, "--policy", ",".join(POLICIES), "--min-arena", "--json",
                 output])
            figures["policies"][load] = read()

        run([os.path.join(build, "modmem-operations"), "--benchmark_out_format=json",
             "--benchmark_out=" + output, "--benchmark_min_time=" + ("0.05" if quick else "0.5")])
        figures["operations"] = read()["benchmarks"]
    return figures


def number(value, decimals=None):
    if value is None:
        return "none"
    if decimals is None:
        decimals = 0 if abs(value) >= 1000 or value == int(value) else 1 if abs(value) >= 100 else 3
    return f"{value:,.{decimals}f}"


def table(head, rows):
    """A Markdown table; the columns after the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(figure):
    return "" if "met" not in figure else "yes" if figure["met"] else "**no**"


def limit(figure):
    if "at_most" in figure:
        return "at most " + number(figure["at_most"])
    if "at_least" in figure:
        return "at least " + number(figure["at_least"])
    return ""


def figure_table(report):
    """Everything that one measurement printed."""
    rows = [[figure["name"],
             number(figure["value"]) + (" " + figure["unit"] if "unit" in figure else ""),
             limit(figure), verdict(figure)] for figure in report["figures"]]
    notes = "".join(f"\n{note[0].upper() + note[1:]}.\n" for note in report["notes"])
    return table(["figure", "value", "limit", "kept"], rows) + "\n" + notes


def goal_table(figures):
    rows = []
    for goal, report in figures["goals"].items():
        limited = [figure for figure in report["figures"] if "met" in figure]
        missed = sum(not figure["met"] for figure in limited)
        rows.append([f"[{goal}](#goal-{goal})", report["title"],
                     "yes" if report["met"] else f"**no**: {missed} of {len(limited)} limits missed"])
    return "\n".join("| " + " | ".join(row) + " |"
                     for row in [["goal", "what", "met"], ["---"] * 3, *rows])


def policy_table(results):
    def ratio(numerator, denominator):
        return None if numerator is None or not denominator else numerator / denominator

    rows = [[f"`{result['policy']}`", number(result["failures"]),
             number(ratio(result["min_arena_bytes"], result["peak_live_bytes"]), 3),
             number(result["mapped_over_live_peak"], 3), number(result["mapped_over_live_mean"], 3),
             number(ratio(result["banks_on_mean"], result["banks_lower_bound_mean"]), 3),
             number(result["ns_per_operation"]["p50"], 0),
             number(result["ns_per_operation"]["p99"], 0)] for result in results]
    return table(["policy", "requests that failed", "smallest memory / peak live",
                  "mapped / live: peak", "mean", "banks on / lower bound", "ns: p50", "p99"], rows)


def operations_table(operations):
    rows = [[f"`{entry['name']}`", number(entry["cpu_time"], 1)] for entry in operations]
    return table(["operation", "ns"], rows)


def machine_line(figures):
    found = figures["machine"]
    line = f"{found['cpu']}, {found['cores']} cores, {found['compiler']}."
    if figures["quick"]:
        line += (" Shortened, by `make bench ARGS=--quick`: 2,000 starts and stops and 2 seeds in "
                 "place of 20,000 and 5,\n200,000 in place of ten million for goal 6.")
    return line


def write_page(figures, docs):
    places = {"machine": machine_line(figures), "goals": goal_table(figures),
              "deep buffers": figure_table(figures["deep buffers"]),
              "operations": operations_table(figures["operations"])}
    for goal, report in figures["goals"].items():
        places["goal " + goal] = figure_table(report)
    for load, results in figures["policies"].items():
        places["policies " + load] = policy_table(results)
    with open(os.path.join(ROOT, "bench", "benchmarks.md.in"), encoding="utf-8") as file:
        page = PLACE.sub(lambda match: places[match[1]].rstrip("\n"), file.read())
    with open(os.path.join(docs, "benchmarks.md"), "w", encoding="utf-8") as file:
        file.write(page)


def main():
    parser = argparse.ArgumentParser(description="Measure everything and write docs/benchmarks.md.")
    parser.add_argument("build", help="build folder of the release preset")
    parser.add_argument("--quick", action="store_true", help="fewer events and seeds")
    parser.add_argument("--traces", help="folder of recorded traces")
    parser.add_argument("--figures", help="figures of a run before, in place of measuring")
    parser.add_argument("--docs", default=os.path.join(ROOT, "docs"), help="where the page goes")
    arguments = parser.parse_args()
    if arguments.figures:
        with open(arguments.figures, encoding="utf-8") as file:
            figures = json.load(file)
    else:
        figures = measure(arguments.build, arguments)
        with open(os.path.join(arguments.build, "benchmarks.json"), "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    write_page(figures, arguments.docs)
    benchmark_plots.write(figures, os.path.join(arguments.docs, "benchmarks"))


if __name__ == "__main__":
    main()
