#!/usr/bin/python3
"""Make the table of footprints of modmem's own modules anew.

    record_footprints.py MODMEM MODMEM_MODULE_TOPOLOGIES TABLE

runs every module with many formats and configurations, records that, and has `modmem profile` write
the footprints into TABLE, whose names and parameters stay.
"""

import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import wave

PLATFORM = "ptl"  # the largest


def write_audio(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(b"".join(struct.pack("<hh", *[int(9000 * math.sin(i / 9))] * 2) for i in range(480)))


def record(modmem, topologies, table):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        audio = folder / "audio.wav"
        write_audio(audio)
        subprocess.run([topologies, folder / "topologies"], check=True)
        traces = []
        for topology in sorted((folder / "topologies").glob("*.tplg")):
            traces.append(folder / topology.stem)
            run = subprocess.run([modmem, "run", topology, "--in", audio, "--platform", PLATFORM, "--seconds",
                                  "0.001", "--trace", traces[-1]], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                sys.exit(f"{topology.name}: {run.stderr}{run.stdout}")
        subprocess.run([modmem, "profile", *traces, "--all", "--output", table], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    record(*sys.argv[1:])
