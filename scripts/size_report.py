#!/usr/bin/python3
"""Measure what each feature of the library costs in firmware.

    size_report.py roots --nm NM --out FILE LIBRARY     has the linker keep all C functions of a library
    size_report.py write MACHINE...                     measures, writes firmware/sizes.json and docs/size.md
    size_report.py check MACHINE...                     measures, and compares with firmware/sizes.json

MACHINE is cortex-m, riscv or xtensa: build/MACHINE/firmware/sizes has the linker's maps of the
anchors in firmware/sizes/, and build/MACHINE-hardened/ that of the hardened build. Only sections of
the library's own objects are counted, and its inline functions that an anchor's object has. The
compiler's arithmetic is counted apart; what a port defines is not counted, nor are memcpy and its kin.

Exits with status 1 where a figure has grown by more than 5 %, 2 where there is nothing to measure.
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIGURES = os.path.join("firmware", "sizes.json")
TEMPLATE = os.path.join("firmware", "sizes", "size.md.in")
PAGE = os.path.join("docs", "size.md")
PLACE = re.compile(r"^@([a-z0-9 -]+)@$", re.MULTILINE)
GROWTH_PERCENT = 5

MACHINES = {"cortex-m": "Cortex-M4 (Thumb-2)", "riscv": "RISC-V (rv64gc)", "xtensa": "Xtensa (call0)"}
KINDS = ("text", "data", "bss", "arithmetic")
LAYERS = ("base", "port", "page", "record", "heap", "memory", "module", "capi")


class Feature:
    def __init__(self, key, title, beside=None, folder="", anchor=None):
        self.key = key
        self.title = title
        self.beside = beside  # the feature that it adds to
        self.folder = folder  # what follows the machine in the name of its build
        self.anchor = anchor or key


FEATURES = (
    Feature("page_pool", "PagePool"),
    Feature("elastic_heap", "ElasticHeap with its pool", "page_pool"),
    Feature("elastic_heap_all", "ElasticHeap, all functions", "elastic_heap"),
    Feature("slot_heap", "SlotHeap with its pool", "page_pool"),
    Feature("memory", "Memory, with all heaps", "elastic_heap_all"),
    Feature("module_memory", "ModuleMemory, on Memory", "memory"),
    Feature("c_api", "C API, all functions, on all of it", "module_memory"),
    Feature("trace", "trace: Memory with a recorder", "memory"),
    Feature("hardening", "hardening: the C API with all checks", "c_api", "-hardened", "c_api"),
)

# (machine, feature): bytes of text.
GOALS = {("cortex-m", "elastic_heap"): 4096, ("cortex-m", "c_api"): 16384}


class SizeError(Exception):
    """One line that says what can't be measured, and why."""


# --- the linker's map ---

# A section of an object file in a map; a long name has a line of its own.
SECTION = re.compile(r"^ (\.[^\s]+|COMMON)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$", re.MULTILINE)
OUTPUT = re.compile(r"^(\.\S+|/DISCARD/)", re.MULTILINE)
LIBRARY = re.compile(r"libmodmem_(\w+)\.a\(")
PRIVATE = "5sizes"  # as names in modmem::sizes have it


def sections(text):
    """(output section, section, bytes, file) of all that the linker placed."""
    _, found, text = text.partition("Linker script and memory map\n")
    if not found:
        raise SizeError("it is no map of the linker")
    text = re.sub(r"^( \S+)\n +0x", r"\1 0x", text, flags=re.MULTILINE)
    starts = list(OUTPUT.finditer(text))
    for start, following in zip(starts, [*starts[1:], None]):
        part = text[start.end():following.start() if following else len(text)]
        for match in SECTION.finditer(part):
            if int(match[2], 16) != 0:
                yield start[1], match[1], int(match[2], 16), match[3]


def owner_of(section, file):
    """What a section is counted as: a layer, "arithmetic", or None where it is not counted."""
    if library := LIBRARY.search(file):
        if library[1].startswith("port_"):
            return "arithmetic"
        return library[1] if library[1] in LAYERS else None
    if "libgcc.a(" in file:
        return "arithmetic"
    if file.endswith(("support.cpp.obj", "memory_functions.cpp.obj")):
        return None
    # Of an anchor: its objects, and inline functions of the library.
    if section.startswith((".bss", ".sbss")):
        return "objects"
    return "inline" if "modmem" in section and PRIVATE not in section else None


def measure(text):
    """The figures of one map: bytes of each of KINDS, and of text by what it is counted as."""
    figures = dict.fromkeys(KINDS, 0)
    parts = {}
    kinds = {".text": "text", ".rodata": "text", ".data": "data", ".bss": "bss"}
    for output, section, size, file in sections(text):
        owner = owner_of(section, file)
        kind = kinds.get(output)
        if owner is None or kind is None:
            continue
        if owner == "arithmetic":
            figures["arithmetic"] += size
            continue
        figures[kind] += size
        if kind == "text":
            parts[owner] = parts.get(owner, 0) + size
    if figures["text"] == 0:
        raise SizeError("there is nothing of the library in it")
    figures["parts"] = dict(sorted(parts.items()))
    return figures


def measure_machine(machine, root):
    """The figures of all features on one machine."""
    found = {}
    for feature in FEATURES:
        path = os.path.join("build", machine + feature.folder, "firmware", "sizes", feature.anchor + ".map")
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                found[feature.key] = measure(file.read())
        except OSError as error:
            raise SizeError(f"{path}: {error.strerror}") from error
        except SizeError as error:
            raise SizeError(f"{path}: {error}") from error
    return found


# --- comparing ---

def has_grown(now, before):
    return now * 100 > before * (100 + GROWTH_PERCENT)


def growth(now, before):
    return f"by {now / before - 1:.1%}" if before else "from nothing"


def compare(now, before):
    """(what is wrong, what got smaller or is new) of the figures of machines, as lines."""
    wrong, notes = [], []
    for machine, features in now.items():
        for key, figures in features.items():
            known = before.get(machine, {}).get(key)
            if known is None:
                wrong.append(f"{machine} {key}: not in {FIGURES}")
                continue
            for kind in KINDS:
                if has_grown(figures[kind], known[kind]):
                    wrong.append(f"{machine} {key}: {kind} grew {growth(figures[kind], known[kind])}, "
                                 f"from {known[kind]:,} to {figures[kind]:,} bytes")
                elif has_grown(known[kind], figures[kind]):
                    notes.append(f"{machine} {key}: {kind} is {figures[kind]:,} bytes, {known[kind]:,} "
                                 f"in {FIGURES}: `make size` keeps that")
    return wrong, notes


# --- the page ---

def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_table(features):
    """Of one machine: what a program with each feature has, and what the feature adds to another."""
    rows = []
    titles = {feature.key: feature.title for feature in FEATURES}
    for feature in FEATURES:
        figures = features[feature.key]
        added = ""
        if feature.beside:
            more = figures["text"] - features[feature.beside]["text"]
            added = f"{more:+,} to {titles[feature.beside].split(':')[0].split(',')[0]}"
        rows.append([feature.title, *(f"{figures[kind]:,}" for kind in KINDS), added])
    return table(["feature", "text", "data", "bss", "arithmetic", "text it adds"], rows)


def part_table(features):
    """Of one machine: what layer the text of each feature is from."""
    columns = ["inline", *LAYERS]
    columns = [name for name in columns
               if any(name in figures["parts"] for figures in features.values())]
    rows = [[feature.title, *(f"{features[feature.key]['parts'].get(name, 0):,}" for name in columns)]
            for feature in FEATURES]
    return table(["text of", *columns], rows)


def goal_table(figures):
    titles = {feature.key: feature.title for feature in FEATURES}
    rows = []
    for (machine, key), goal in GOALS.items():
        text = figures[machine][key]["text"]
        verdict = "yes" if text <= goal else f"**no**: {text / goal:.1f} times the goal"
        rows.append([f"{titles[key]}, {MACHINES[machine]}", f"{goal:,}", f"{text:,}", verdict])
    return table(["text of", "goal", "bytes", "met"], rows)


def make_page(template, figures):
    places = {"goals": goal_table(figures), "parts": part_table(figures["cortex-m"])}
    for machine in MACHINES:
        places["machine " + machine] = machine_table(figures[machine])
    return PLACE.sub(lambda match: places[match[1]], template)


# --- commands ---

def c_functions(symbols):
    """The functions with C names that a library defines, as nm lists them."""
    return sorted(match[1] for match in re.finditer(r" T (\w+)$", symbols, re.MULTILINE)
                  if not match[1].startswith("_Z"))


def write_roots(arguments):
    symbols = subprocess.run([arguments.nm, "--defined-only", arguments.library], check=True,
                             capture_output=True, text=True).stdout
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write(f"EXTERN({' '.join(c_functions(symbols))})\n")


def read_figures(root):
    path = os.path.join(root, FIGURES)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(machines, root):
    figures = {**read_figures(root), **{machine: measure_machine(machine, root) for machine in machines}}
    missing = [machine for machine in MACHINES if machine not in figures]
    if missing:
        raise SizeError(f"{FIGURES} has nothing of {', '.join(missing)} yet: measure all machines")
    with open(os.path.join(root, FIGURES), "w", encoding="utf-8") as file:
        json.dump({machine: figures[machine] for machine in MACHINES}, file, indent=1)
        file.write("\n")
    with open(os.path.join(root, TEMPLATE), encoding="utf-8") as file:
        page = make_page(file.read(), figures)
    with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
        file.write(page)
    print(f"size_report: wrote {FIGURES} and {PAGE}")


def check(machines, root):
    now = {machine: measure_machine(machine, root) for machine in machines}
    before = read_figures(root)
    wrong, notes = compare(now, before)
    for note in notes:
        print("size_report:", note)
    for line in wrong:
        print("size_report:", line, file=sys.stderr)
    if wrong:
        print("size_report: to accept that, run `make size`, commit what it writes, and say in the commit "
              "what the bytes are for", file=sys.stderr)
        sys.exit(1)
    print(f"size_report: nothing grew by more than {GROWTH_PERCENT} % on {', '.join(machines)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    roots = commands.add_parser("roots")
    roots.add_argument("--nm", required=True)
    roots.add_argument("--out", required=True)
    roots.add_argument("library")
    for name in ("write", "check"):
        command = commands.add_parser(name)
        command.add_argument("machines", nargs="+", choices=sorted(MACHINES), metavar="MACHINE")
        command.add_argument("--root", default=ROOT, help="folder of the repository")
    arguments = parser.parse_args()
    if arguments.command == "roots":
        write_roots(arguments)
        return
    try:
        (write if arguments.command == "write" else check)(arguments.machines, arguments.root)
    except SizeError as error:
        print(f"size_report: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
