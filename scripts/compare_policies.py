#!/usr/bin/python3
"""Plays a script under every policy and prints what each of them cost, as a Markdown table.

Ends with status 1 where a run had an xrun or a leak, did not come to its end, or the elastic policy
could not start a stream; what the others can't start is their figure in the table.
"""

import argparse
import json
import subprocess
import sys

POLICIES = ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all")
COLUMNS = ("policy", "peak mapped", "mean mapped", "mean banks on", "peak banks on",
           "streams started", "streams failed", "xruns", "leaks")


def play(program, topology, script, policy):
    """The report of one run, as data, and what was wrong with it, or None."""
    result = subprocess.run([program, "run", topology, "--script", script, "--policy", policy,
                             "--json", "-"], capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        return None, f"exit status {result.returncode}: {result.stderr.strip()}"
    data = json.loads(result.stdout)
    if data["audio"]["xruns"] or data["leaks"]:
        return data, "an xrun or a leak"
    if data["pool"]["mapped_bytes"] != data["pool"]["boot_mapped_bytes"]:
        return data, "the pool is not as it was at boot"
    if policy == "elastic" and result.returncode != 0:
        return data, "not every stream could be started"
    return data, None


def row(policy, data):
    pool, script = data["pool"], data["script"]
    return (f"`{policy}`", f"{pool['peak_mapped_bytes']:,} B", f"{pool['mapped_mean_bytes']:,.0f} B",
            f"{pool['banks_on_mean']:.2f}", pool["banks_on_peak"], script["streams_started"],
            script["streams_failed"], data["audio"]["xruns"], len(data["leaks"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the modmem program")
    parser.add_argument("topology")
    parser.add_argument("script")
    args = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- |" + " ---: |" * (len(COLUMNS) - 1))
    wrong = []
    for policy in POLICIES:
        data, trouble = play(args.program, args.topology, args.script, policy)
        if data is not None:
            print("| " + " | ".join(str(cell) for cell in row(policy, data)) + " |", flush=True)
        if trouble is not None:
            wrong.append(f"{policy}: {trouble}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
