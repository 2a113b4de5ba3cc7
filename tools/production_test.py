#!/usr/bin/python3
"""Production topologies, where they are at hand: each on its platform, and on one that is small.

Skipped as a whole where there are none.
"""

import pathlib
import sys

from testing import program

# By what a file's name begins with or contains, as docs/platforms.md lists them.
PREFIXES = {"sof-mtl-": "mtl", "sof-arl-": "mtl", "sof-lnl-": "lnl", "sof-ptl-": "ptl",
            "sof-wcl-": "wcl", "sof-tgl-": "tgl", "sof-adl-": "tgl", "sof-rpl-": "tgl"}
INFIXES = {"-ace1-": "mtl", "-ace3-": "ptl", "-cavs25-": "tgl"}


def platform_of(topology):
    name = pathlib.Path(topology).name
    for prefix, platform in PREFIXES.items():
        if name.startswith(prefix):
            return platform
    for infix, platform in INFIXES.items():
        if infix in name:
            return platform
    return "mtl"


class ProductionTest(program.TestCase):
    def assert_as_at_boot(self, report, topology):
        pool = report["pool"]
        self.assertEqual(pool["mapped_bytes"], pool["boot_mapped_bytes"], topology)
        self.assertEqual(report["leaks"], [], topology)
        self.assertEqual(sum(heap["mapped_bytes"] for heap in report["heaps"]),
                         pool["live_mapped_bytes"], topology)

    def play(self, topology, *arguments, statuses):
        report = self.run_topology(topology, "--seconds", "0.01", *arguments, statuses=statuses)
        self.assert_as_at_boot(report, topology)
        return report

    def test_elastic_fits_everything_on_its_platform(self):
        for topology in program.production_topologies():
            report = self.play(topology, statuses=(0,))
            self.assertEqual((report["platform"], report["policy"]),
                             (platform_of(topology), "elastic"), topology)
            self.assertIsNone(report["failure"], topology)
            self.assertEqual(report["audio"]["xruns"], 0, topology)
            self.assertGreater(report["audio"]["frames_out"], 0, topology)

    def test_where_it_does_not_fit_the_figures_prove_it(self):
        for topology in program.production_topologies():
            for arguments in (("--policy", "single"), ("--platform", "mcu"),
                              ("--platform", "mcu", "--policy", "single")):
                report = self.play(topology, *arguments, statuses=(0, 1))
                if report["failure"] is not None:
                    failure = report["failure"]
                    self.assertLess(failure["largest_request"], failure["bytes"], topology)
                    self.assertLessEqual(failure["free_bytes"], report["pool"]["frames"] * 4096)

    def test_every_sink_is_written(self):
        topology = program.production_topologies()[-1]
        report = self.play(topology, "--out", f"{self.folder}/all/", statuses=(0,))
        frames = 0
        for file in (self.folder / "all").iterdir():
            with open(file, "rb") as audio:
                self.assertEqual(audio.read(4), b"RIFF")
            frames += 1
        self.assertGreater(frames, 1)
        self.assertGreater(report["audio"]["frames_out"], 0)


if __name__ == "__main__":
    if not program.production_topologies():
        print("No production topologies: set MODMEM_SHARED to the folder above `topologies`.",
              file=sys.stderr)
        sys.exit(program.SKIPPED)
    program.main()
