"""The plots of docs/benchmarks.md, as SVG: the same figures give the same bytes."""

import os
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "modmem", "svg.fonttype": "none",
                            "font.size": 9, "axes.spines.top": False,
                            "axes.spines.right": False, "axes.axisbelow": True})
from matplotlib import pyplot  # noqa: E402  (after the choice of the backend)

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2")
ARENA = re.compile(r"(day|busy), (\d+) streams, seed (\d+)")
SPEED = re.compile(r"(day|busy), (.*): (allocate \+ free, mean|allocate, p99\.99)$")
BOUND = re.compile(r"(allocate|free) (.*) at (\d+)$")


def save(figure, folder, name):
    figure.tight_layout()
    # No date, so that plots change only with the figures.
    figure.savefig(os.path.join(folder, name + ".svg"), metadata={"Date": None})
    pyplot.close(figure)


def matches(report, pattern):
    for figure in report["figures"]:
        match = pattern.match(figure["name"])
        if match and figure["value"] is not None:
            yield match.groups(), figure["value"]


def plot_arena(figures, folder):
    figure, axes = pyplot.subplots(figsize=(6, 3))
    for shift, (load, colour) in enumerate(zip(("day", "busy"), COLOURS)):
        points = [(int(streams) + 0.3 * (shift - 0.5), value)
                  for (of, streams, _), value in matches(figures["goals"]["1"], ARENA) if of == load]
        axes.plot(*zip(*points), "o", color=colour, label=load, markersize=4)
    axes.axhline(1.05, color="black", linewidth=0.8, linestyle="--", label="goal: at most 1.05")
    axes.set(xlabel="most streams at a time", ylabel="smallest memory / peak live",
             xticks=(2, 4, 6, 8))
    axes.set_ylim(bottom=1)
    axes.legend(frameon=False)
    save(figure, folder, "smallest-memory")


def plot_policies(figures, folder):
    figure, all_axes = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True)
    for axes, load in zip(all_axes, ("day", "busy")):
        results = figures["policies"][load][::-1]
        rows = range(len(results))
        for shift, (name, value) in enumerate((
                ("mapped / live, mean", lambda result: result["mapped_over_live_mean"] or 0),
                ("smallest memory / peak live",
                 lambda result: (result["min_arena_bytes"] or 0) / result["peak_live_bytes"]))):
            axes.barh([row + 0.36 * (shift - 0.5) for row in rows], [value(r) for r in results],
                      height=0.34, color=COLOURS[shift], label=name)
        axes.set_yticks(rows, [result["policy"] for result in results])
        axes.set_title(load)
        axes.axvline(1, color="black", linewidth=0.8)
    all_axes[1].legend(frameon=False, fontsize=8)
    save(figure, folder, "policies")


def plot_speed(figures, folder):
    figure, all_axes = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True)
    values = {}
    for (load, name, what), value in matches(figures["goals"]["4"], SPEED):
        values.setdefault(what, {}).setdefault(name, {})[load] = value
    for axes, (what, by_name) in zip(all_axes, values.items()):
        names = list(by_name)[::-1]
        for shift, (load, colour) in enumerate(zip(("busy", "day"), COLOURS)):
            axes.barh([row + 0.36 * (shift - 0.5) for row in range(len(names))],
                      [by_name[name].get(load, 0) for name in names], height=0.34, color=colour,
                      label=load)
        axes.set_yticks(range(len(names)), names)
        axes.set(title=what, xlabel="ns", xscale="log")
        axes.set_xlim(left=1)
    all_axes[0].legend(frameon=False, fontsize=8)
    save(figure, folder, "speed")


def plot_bounds(figures, folder):
    figure, axes = pyplot.subplots(figsize=(6, 3))
    lines = {}
    for (operation, kind, live), value in matches(figures["goals"]["5"], BOUND):
        lines.setdefault(f"{operation} {kind}", []).append((int(live), value))
    for (name, points), colour in zip(lines.items(), COLOURS):
        axes.plot(*zip(*points), "o-", color=colour, label=name, markersize=4)
    axes.set(xlabel="live blocks", ylabel="instructions of the slowest", xscale="log")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    save(figure, folder, "bounded-time")


def write(figures, folder):
    """Writes all plots to `folder`, which is made where it is not there."""
    os.makedirs(folder, exist_ok=True)
    for plot in (plot_arena, plot_policies, plot_speed, plot_bounds):
        plot(figures, folder)
