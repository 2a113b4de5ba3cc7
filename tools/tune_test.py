#!/usr/bin/python3
"""`modmem tune` from outside: its tables against an integer program and against today's, and its
fragments in Kconfig and in a program that is built with them."""

import json
import os
import pathlib
import random
import re
import subprocess
import sys

from testing import program, slot_milp

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADER = "time_us,op,id,bytes,alignment,flags,caller,owner\n"
PAGE = 4096
# Of days that are composed.
EVENTS = int(os.environ.get("MODMEM_TUNE_EVENTS", "600"))
PRODUCTION_BYTES = 0x140000
LARGE = 0x400  # the flag of large buffers


def shared_traces():
    """Those under $MODMEM_SHARED, or in `shared` beside the repository; maybe none."""
    shared = pathlib.Path(os.environ.get("MODMEM_SHARED", ROOT.parent / "shared"))
    return sorted((shared / "traces").glob("*.csv"))


def example_traces():
    return sorted((ROOT / "examples/traces").glob("*.csv"))


class TuneTestCase(program.TestCase):
    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def tune(self, *arguments):
        """The figures of each policy."""
        result = program.run("tune", *arguments, "--json", "-")
        self.assertEqual(result.status, 0, result.err)
        return {one["policy"]: one for one in json.loads(result.out)["policies"]}

    def day(self, traces, events=EVENTS, seed=1, name="day.csv"):
        path = self.folder / name
        result = program.run("compose", *traces, "--streams", 8, "--events", events, "--seed", seed,
                             "-o", path)
        self.assertEqual(result.status, 0, result.err)
        return path


class IntegerProgramTest(TuneTestCase):
    """The optimum is the one that a solver finds who knows nothing of how it was found."""

    INSTANCES = 60

    def instance(self, generator, sizes):
        """Requests of all sizes but the largest, as rows and as slot_milp has them."""
        requests, live, rows, time = [], [], [], 0
        churn = generator.choice((0.3, 0.45, 0.6))
        for number in range(generator.randrange(6, 19)):
            while live and generator.random() < churn:
                block = live.pop(generator.randrange(len(live)))
                requests[block][1] = time
                rows.append(f"{time},free,{block},,,,f,")
                time += 1
            size_class = generator.randrange(len(sizes) - 1)
            size = generator.randrange(sizes[size_class] // 2 + 1, sizes[size_class] + 1)
            requests.append([time, sys.maxsize, size_class])
            rows.append(f"{time},rmalloc,{number},{size},0,0,a,")
            live.append(number)
            time += 1
        return requests, HEADER + "\n".join(rows) + "\n"

    def test_no_table_is_better(self):
        generator = random.Random(6)
        failing = above = 0
        for number in range(self.INSTANCES):
            sizes = ([512 << i for i in range(6)], [2048 << i for i in range(5)])[number % 2]
            requests, rows = self.instance(generator, sizes)
            budget = generator.randrange(12) if number % 3 == 0 else None
            bundles = generator.choice((10, 10, 1, 2, 3))
            best = slot_milp.solve(requests, sizes, PAGE, budget, bundles)
            options = ("--bundles", bundles) + (("--budget", budget * PAGE) if budget is not None else ())
            slots = self.tune(self.write("small.csv", rows), "--policy", "slots-all", *options)
            slots = slots["slots-all"]["slots"]
            found = slot_milp.Best(slots["tuned"]["table_bytes"] // PAGE, slots["slot_failures"])
            self.assertEqual(found, best, f"{number}: {budget} {bundles}\n{rows}")
            self.assertTrue(slots["proved"])
            if slots["tuned"]["table"]:
                self.assertEqual(slots["tuned"]["failures"], best.failures)  # on the real heap
            failing += best.failures != 0
            above += budget is None and slots["least_table_bytes"] // PAGE < best.pages
        # There are such where the budget is too small, and such where the bound alone is.
        self.assertGreater(failing, 5)
        self.assertGreater(above, 0)


class DayTest(TuneTestCase):
    def assert_beats_production(self, traces):
        slots = self.tune(self.day(traces), "--policy", "slots")["slots"]["slots"]
        before, after = slots["configured"], slots["tuned"]
        self.assertEqual(before["table_bytes"], PRODUCTION_BYTES)
        self.assertGreater(before["failures"], 0)
        self.assertEqual(after["failures"], 0)
        self.assertLess(after["table_bytes"], before["table_bytes"])
        self.assertLess(after["peak_mapped_bytes"], before["peak_mapped_bytes"])
        self.assertLessEqual(slots["least_table_bytes"], after["table_bytes"])
        self.assertLessEqual(after["table_bytes"], 1.05 * slots["least_table_bytes"])
        for bundle in after["table"]:
            self.assertLessEqual(bundle["most_used"], bundle["slots"])

    def test_it_beats_the_production_table_on_our_day(self):
        self.assert_beats_production(example_traces())

    def test_it_beats_the_production_table_on_a_production_day(self):
        traces = shared_traces()
        if not traces:
            self.skipTest("there is no shared/traces")
        self.assert_beats_production(traces)

    def test_everything_in_slots(self):
        slots = self.tune(self.day(example_traces(), 200), "--policy", "slots-all")
        slots = slots["slots-all"]["slots"]
        self.assertGreater(slots["configured"]["failures"], 1000)
        self.assertEqual(slots["tuned"]["failures"], 0)
        self.assertLess(slots["tuned"]["table_bytes"], PRODUCTION_BYTES / 2)

    def test_one_table_for_several_days(self):
        days = [self.day(example_traces(), 60, seed, f"{seed}.csv") for seed in (1, 2)]
        alone = [self.tune(day, "--policy", "slots-all")["slots-all"]["slots"] for day in days]
        both = self.tune(*days, "--policy", "slots-all")["slots-all"]["slots"]
        self.assertEqual(both["tuned"]["failures"], 0)
        self.assertEqual(both["requests"], sum(one["requests"] for one in alone))
        self.assertGreaterEqual(both["tuned"]["table_bytes"],
                                max(one["tuned"]["table_bytes"] for one in alone))

    def test_hysteresis_and_what_streams_need(self):
        elastic = self.tune(self.day(example_traces(), 60), "--policy", "elastic")
        elastic = elastic["elastic"]["elastic"]
        base, *others = elastic["tried"]
        self.assertEqual((base["retained_pages"], base["bank_hold_us"]), (0, 0))
        self.assertIn(elastic["hysteresis"], elastic["tried"])
        self.assertLessEqual(elastic["hysteresis"]["mapped_over_live_mean"],
                             1.01 * base["mapped_over_live_mean"])
        self.assertLessEqual(min(one["mappings"] for one in others), base["mappings"])
        system, stream = elastic["owners"]
        self.assertEqual((system["kind"], stream["kind"]), ("system", "pipeline"))
        self.assertEqual(stream["limit_bytes"], stream["peak_bytes"])
        self.assertLessEqual(stream["guarantee_bytes"], stream["peak_mapped_bytes"])
        self.assertEqual(stream["failures"], 0)
        self.assertLessEqual(stream["most_at_a_time"], 8)

    def test_what_a_run_recorded(self):
        trace = self.folder / "trace"
        self.run_topology(program.example("playback-and-capture"), "--trace", trace)
        figures = self.tune(trace)
        self.assertEqual(figures["slots"]["slots"]["tuned"]["failures"], 0)
        stream = figures["elastic"]["elastic"]["owners"][1]
        self.assertEqual(stream["started"], 5)
        self.assertEqual(stream["failures"], 0)


class FragmentTest(TuneTestCase):
    """What is written is what Kconfig reads, and what a program boots with."""

    BUFFERS = "".join(f"{i},rballoc,{i},{1000 if i % 3 else 20000},0,{LARGE:#x},a,s\n"
                      f"{i},rmalloc,{i + 100},200,0,0,a,s\n" for i in range(10))

    def setUp(self):
        super().setUp()
        self.trace = self.write("buffers.csv", HEADER + self.BUFFERS + "99,release,,,,,,s\n")
        self.fragment = self.folder / "tuned.conf"
        self.generated = self.folder / "generated"

    def tune_to_fragment(self, *arguments):
        result = program.run("tune", self.trace, "-o", self.fragment, *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return self.fragment.read_text(encoding="utf-8")

    def generate(self, *options):
        """The configuration that the fragment makes, as macros; nothing is said about it."""
        result = subprocess.run(
            ["/usr/bin/python3", "-B", ROOT / "scripts/gen_config.py", "--kconfig", ROOT / "Kconfig",
             "--configs", ROOT / "configs", "--config", "host", "--fragment", self.fragment,
             *options, "--out", self.generated / "modmem"], capture_output=True, text=True,
            check=False)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        config = (self.generated / "modmem/config.h").read_text(encoding="utf-8")
        return dict(re.findall(r"#define MODMEM_CONFIG_(\w+) (.*)", config))

    def test_of_slots(self):
        text = self.tune_to_fragment("--policy", "slots")
        self.assertIn("CONFIG_POLICY_SLOTS=y\n", text)
        config = self.generate()
        self.assertEqual(config["POLICY"], '"slots"')
        # Six of 1000 B in one bundle and four of 20000 B, and the small blocks in the arena.
        self.assertEqual(config["SLOT_BUNDLES"], '"1024x8 32768x4"')
        self.assertEqual(int(config["SLOTS_ARENA_BYTES"]), PAGE)

    def test_of_elastic_heaps(self):
        text = self.tune_to_fragment("--policy", "elastic")
        config = self.generate()
        self.assertEqual(config["POLICY"], '"elastic"')
        for option in ("RETAINED_PAGES", "RETAINED_US", "BANK_HOLD_US"):
            self.assertIn(f"CONFIG_{option}={config[option]}\n", text)
        self.assertRegex(text, r"\.limit = \d+, \.guarantee = \d+")

    def test_of_both_leaves_the_policy_open(self):
        text = self.tune_to_fragment()
        self.assertNotIn("CONFIG_POLICY", text)
        config = self.generate()
        self.assertEqual(config["POLICY"], '"elastic"')
        self.assertEqual(config["SLOT_BUNDLES"], '"1024x8 32768x4"')

    def test_names_of_traces_stay_comments(self):
        self.trace = self.trace.rename(self.folder / "a\nCONFIG_CORES=99\n.csv")
        self.tune_to_fragment("--policy", "slots")
        self.assertEqual(self.generate()["CORES"], "3")

    # Boots on what the fragment configured, and takes every slot of the table.
    BOOT = """
#include <cstdio>
#include <vector>
#include "memory/memory.hpp"
#include "modmem/presets.hpp"
#include "port/posix/plain_port.hpp"
int main() {
  using namespace modmem;
  const PlatformConfig& platform = config::kDefaultPlatform;
  const Policy* policy = find_policy(platform.policy);
  PlainPort port;
  if (policy == nullptr || !port.open(platform)) return 1;
  std::vector<std::byte> arena(Memory::arena_bytes(platform, port));
  Memory memory;
  if (!memory.boot(platform, *policy, port, nullptr, arena)) return 2;
  for (const SlotBundle& bundle : policy->bundles) {
    unsigned slots = 0;
    for (; slots < bundle.slots; ++slots) {
      const Request request{&memory.system(), bundle.slot_bytes, 0, flag::kLargeBuffer, {"a", 1}};
      if (memory.allocate(request) == nullptr) break;
    }
    std::printf("%zux%u ", bundle.slot_bytes, slots);
  }
  memory.shutdown();
}
"""

    def test_a_build_with_it_boots(self):
        self.tune_to_fragment("--policy", "slots")
        build = pathlib.Path(program.path()).parent
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
        if re.search(r"^MODMEM_(SANITIZE:STRING=.+|COVERAGE:BOOL=ON)$", cache, re.M):
            self.skipTest("not with what sanitizers and --coverage link")
        level = re.search(r"CHECKS_LEVEL (\d)",
                          (build / "generated/modmem/config.h").read_text(encoding="utf-8"))[1]
        self.generate("--set", f"CHECKS_LEVEL={level}")
        source = self.write("boot.cpp", self.BOOT)
        program_path = self.folder / "boot"
        # Only the table of policies and the program itself see what a fragment configures: the rest
        # is that of this build.
        libraries = [build / folder / f"libmodmem_{name}.a" for folder, name in
                     (("memory", "memory"), ("record", "record"), ("heap", "heap"), ("page", "page"),
                      ("port", "port_posix"))]
        compiled = subprocess.run(
            [os.environ.get("CXX", "c++"), "-std=c++20", f"-DMODMEM_CHECKS={int(level != '0')}",
             f"-I{self.generated}", f"-I{ROOT}", source, ROOT / "memory/policy.cpp", "-o",
             program_path, "-Wl,--start-group", *filter(pathlib.Path.exists, libraries),
             "-Wl,--end-group"], capture_output=True, text=True, check=False)
        self.assertEqual(compiled.returncode, 0, compiled.stderr)
        ran = subprocess.run([program_path], capture_output=True, text=True, check=False)
        self.assertEqual((ran.returncode, ran.stdout), (0, "1024x8 32768x4 "))


class TextTest(TuneTestCase):
    def test_the_report(self):
        trace = self.write("s.csv", HEADER + FragmentTest.BUFFERS)
        result = program.run("tune", trace)
        self.assertEqual((result.status, result.err), (0, ""))
        for text in ("Policy slots on mtl", "Policy elastic on mtl", "1,310,720 B", "none is better"):
            self.assertIn(text, result.out)
        # Standard output is the fragment's where that is asked for.
        result = program.run("tune", trace, "--policy", "slots", "-o", "-")
        self.assertTrue(result.out.startswith("# What modmem tune found"))
        self.assertIn("Policy slots on mtl", result.err)

    def test_too_small_a_budget(self):
        trace = self.write("s.csv", HEADER + FragmentTest.BUFFERS)
        result = program.run("tune", trace, "--policy", "slots", "--budget", 3 * PAGE)
        self.assertEqual(result.status, 0)
        self.assertIn("to serve all of them takes 139,264 B at least", result.out)

    def test_traces_that_ask_for_no_slots(self):
        fragment = self.folder / "none.conf"
        for rows in ("", "0,rmalloc,0,100,0,0,a,\n"):
            trace = self.write("s.csv", HEADER + rows)
            result = program.run("tune", trace, "-o", fragment)
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertNotIn("SLOT_BUNDLES=", fragment.read_text(encoding="utf-8"))

    def test_platforms_without_an_mmu_have_no_slots(self):
        trace = self.write("s.csv", HEADER + FragmentTest.BUFFERS)
        self.assertEqual(list(self.tune(trace, "--platform", "mcu")), ["elastic"])

    def test_a_damaged_end_is_said_and_the_rest_used(self):
        trace = self.write("s.csv", HEADER + FragmentTest.BUFFERS + "99,free,77,,,,a,s\n")
        result = program.run("tune", trace, "--policy", "slots", "--json", "-")
        self.assertEqual(result.status, 2)
        self.assertIn("s.csv:22", result.err)
        self.assertEqual(json.loads(result.out)["policies"][0]["slots"]["requests"], 10)

    def test_from_standard_input(self):
        """A pipe can be read once; all that is tried is tried on what was kept of it."""
        trace = self.write("s.csv", HEADER + FragmentTest.BUFFERS)
        process = subprocess.run([program.path(), "tune", "-"], input=trace.read_text(encoding="utf-8"),
                                 capture_output=True, text=True, check=False, timeout=program.TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(process.stdout, program.run("tune", trace).out)

    def test_arguments(self):
        trace = self.write("s.csv", HEADER + "0,rmalloc,0,100,0,0,a,\n")
        for arguments, *names in (
                ((), "TRACE"), (("",), "TRACE"), ((self.folder / "none.csv",), "none.csv"),
                ((trace, "--policy", "best"), "best", "elastic"),
                ((trace, "--policy", "single"), "single", "neither"),
                ((trace, "--policy", "slots,slots-all"), "slots-all", "its kind"),
                ((trace, "--policy", "elastic,module-heaps"), "module-heaps", "its kind"),
                ((trace, "--policy", "slots", "--platform", "mcu"), "slots", "mcu", "MMU"),
                ((trace, "--policy", "elastic", "--budget", "4096"), "--budget", "slots"),
                ((trace, "--policy", "elastic", "--bundles", "3"), "--bundles", "slots"),
                ((trace, "--platform", "moon"), "moon", "mtl"),
                ((trace, "--budget", "x"), "--budget x"), ((trace, "--budget", "-1"), "--budget"),
                ((trace, "--bundles", "0"), "--bundles 0"), ((trace, "--bundles", "11"), "--bundles 11"),
                (("-", "-"), "TRACE -"), ((trace, "-o", ""), "--output"),
                ((trace, "-o", "-", "--json", "-"), "--json"),
                ((trace, "-o", self.folder / "no/x.conf"), "no/x.conf")):
            self.assert_refused(("tune", *arguments), *names)


if __name__ == "__main__":
    program.main()
