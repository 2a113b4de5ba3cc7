#!/usr/bin/python3
"""Fuzz what reads Kconfig fragments: scripts/gen_config.py, with inputs made by random changes.

    fragments_fuzz.py [-runs=N] [-seconds=S] [-seed=SEED] [-crash=FILE] FILE|FOLDER...

The reader is Python, so no engine sees its branches; fragments are lines, so lines are what is
changed: taken out, doubled, moved, given other values and characters. Each fragment is put on top of
host_defconfig and must be refused with one printable line that names a file and a reason, or give
headers of which each line is a declaration. Gives each FILE, and each of a FOLDER, as it is first.
With MODMEM_FUZZ_PLANT=1 a mistake is planted that must be found: lines that name no file.

Exits with status 1 where something does not hold; FILE of -crash is then the input.
"""

import glob
import os
import random
import re
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import gen_config  # noqa: E402

KCONFIG = os.path.join(ROOT, "Kconfig")
DEFCONFIG = os.path.join(ROOT, "configs", "host_defconfig")
PLANTED = os.environ.get("MODMEM_FUZZ_PLANT") == "1"
SHOWS = os.environ.get("MODMEM_FUZZ_SHOW") == "1"

# Lines of the headers: nothing of a fragment may become another one.
CPP_LINE = re.compile(r'|//.*|#pragma once|#include .*|(namespace .*|\}.*)|inline constexpr (bool|'
                      r'const char\*|std::size_t|std::uint32_t) k\w+ = '
                      r'(true|false|\d+|"([^"\\]|\\["\\])*");(  // .*)?')
C_LINE = re.compile(r'|/\*.*\*/|#ifndef \w+|#define MODMEM_CONFIG_\w+( (\d+|"([^"\\]|\\["\\])*"))?|'
                    r"#endif /\* \w+ \*/")

INTERESTING = ("0", "1", "-1", "4096", "0x0", "0x1000", "0xffffffff", "4294967296", "99999999999999999999",
               "y", "n", "m", '"', '""', '"elastic"', '"a\\"b"', "\\", "\0", "\r", "\x0b", "\x0c", "\x85", "\u2028",
               "\ufeff", "é", "#", "# CONFIG_HAS_MMU is not set", "CONFIG_", "=", " ", "\t", "1_000", "٣", "0x٣",
               "16x512", "16x512 16x512", '"3x1"', '"8x1073741824"', "$(shell,true)", "*/", "//")


class Finding(Exception):
    """What does not hold."""


def options():
    text = open(KCONFIG, encoding="utf-8").read()
    return re.findall(r"^\s*(?:menu)?config (\w+)", text, re.M)


def check_headers(configuration):
    for name, text, line_of in (("config.hpp", gen_config.config_hpp(configuration), CPP_LINE),
                                ("config.h", gen_config.config_h(configuration), C_LINE)):
        for line in text.split("\n"):
            if not line_of.fullmatch(line):
                raise Finding(f"{name} has the line {line!r}")
    gen_config.initializer(configuration)


def try_input(data, path):
    """Whether the fragment is accepted; raises Finding."""
    with open(path, "wb") as file:
        file.write(data)
    try:
        configuration = gen_config.Configuration(KCONFIG, DEFCONFIG, (), (path,))
        check_headers(configuration)
        return True
    except gen_config.ConfigError as error:
        line = str(error)
        if PLANTED:
            line = line.replace(path, "")
        if SHOWS:
            print(f"refused: {line}")
        names = [name for name in (path, DEFCONFIG) if name in line]
        if not names or len(line) < len(names[0]) + 4:
            raise Finding(f"a refusal without a file or a reason: {line!r}") from error
        if "\n" in line or not line.isprintable():
            raise Finding(f"a refusal is not one printable line: {line!r}") from error
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"refused with another error: {error!r}") from error
    return False


def changed(data, others, names, dice):
    """`data` after one random change."""
    lines = data.split(b"\n")
    at = dice.randrange(len(lines))
    what = dice.randrange(8)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(at, lines[dice.randrange(len(lines))])
    elif what == 2:
        lines[at] = dice.choice(dice.choice(others).split(b"\n"))
    elif what == 3:
        value = dice.choice(INTERESTING).encode()
        lines.insert(at, b"CONFIG_" + dice.choice(names).encode() + b"=" + value)
    elif what == 4:
        lines[at] = lines[at].partition(b"=")[0] + b"=" + dice.choice(INTERESTING).encode()
    elif what == 5:
        place = dice.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + dice.choice(INTERESTING).encode() + lines[at][place:]
    elif what == 6:
        place = dice.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + bytes([dice.randrange(256)]) + lines[at][place + 1:]
    else:
        lines.insert(at, b"# CONFIG_" + dice.choice(names).encode() + b" is not set")
    return b"\n".join(lines)


def parse(arguments):
    settings = {"runs": 0, "seconds": 0, "seed": 1, "crash": None}
    files = []
    for argument in arguments:
        name, separator, value = argument.removeprefix("-").partition("=")
        if argument.startswith("-") and separator and name in settings:
            settings[name] = value if name == "crash" else int(value)
        elif os.path.isdir(argument):
            files += sorted(glob.glob(os.path.join(argument, "*")))
        else:
            files.append(argument)
    return settings, files


def main():
    settings, files = parse(sys.argv[1:])
    inputs = []
    runs = accepted = 0
    started = time.monotonic()
    data = b""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fragment.config")
        try:
            for name in files:
                with open(name, "rb") as file:
                    data = file.read()
                inputs.append(data)
                accepted += try_input(data, path)
            inputs = inputs or [b""]
            names = options()
            dice = random.Random(settings["seed"])
            while runs < settings["runs"] or time.monotonic() - started < settings["seconds"]:
                data = dice.choice(inputs)
                for _ in range(dice.choice((1, 1, 2, 3, 5))):
                    data = changed(data, inputs, names, dice)
                accepted += try_input(data, path)
                runs += 1
        except Finding as finding:
            print(f"fuzz: finding: {finding}\nin {data!r}", file=sys.stderr)
            if settings["crash"]:
                with open(settings["crash"], "wb") as file:
                    file.write(data)
            return 1
    print(f"{len(files)} files and {runs} inputs made from them, {accepted} accepted: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
