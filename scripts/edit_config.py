#!/usr/bin/python3
"""Edit a configuration in a menu: configs/NAME_defconfig, made where there is none yet.

What the menu saves goes back into the file where it differs: comments and order stay, new
assignments follow at the end, and options that have Kconfig's default are written only where the
file had them before. A configuration that does not hold is never written; the reason is shown,
and the menu opens again on it.
"""

import argparse
import contextlib
import importlib
import io
import os
import re
import sys
import tempfile

import kconfiglib
import menuconfig

import gen_config

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
NAME = re.compile(r"[a-z][a-z0-9_-]*$")


def edited_by_menu(kconfig_path, start, working):
    """Opens the menu on the assignments in file `start`; what it saved, in file `working`."""
    kconfig = kconfiglib.Kconfig(kconfig_path, warn_to_stderr=False)
    if os.path.exists(start):
        kconfig.load_config(start)
    kconfig.write_config(working)
    os.environ["KCONFIG_CONFIG"] = working
    importlib.reload(menuconfig)  # it keeps where it was in globals, and this may be another tree
    # Its messages are about a file that nobody asked for; the screen does not go this way.
    with contextlib.redirect_stdout(io.StringIO()):
        menuconfig.menuconfig(kconfig)
    edited = kconfiglib.Kconfig(kconfig_path, warn_to_stderr=False)
    edited.load_config(working)
    return edited


def needed_names(kconfig):
    """The options that a file has to assign for this configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "defconfig")
        kconfig.write_min_config(path, header="")
        with open(path, encoding="utf-8") as file:
            matches = (gen_config.ASSIGNMENT.match(line) for line in file)
            return [match[1] or match[3] for match in matches if match]


def merged(text, kconfig):
    """The lines of `text` with the values of `kconfig`, and those that it lacks behind them."""
    lines = []
    written = set()
    for line in text.splitlines(keepends=True):
        match = gen_config.ASSIGNMENT.match(line)
        if not match:
            lines.append(line)
            continue
        symbol = kconfig.syms.get(match[1] or match[3])
        # An option that lost what it depends on has no line; neither has one of a choice that
        # another was chosen of.
        if symbol is None or not symbol.config_string or (symbol.choice and not symbol.tri_value):
            continue
        lines.append(symbol.config_string)
        written.add(symbol.name)
    lines += [kconfig.syms[name].config_string
              for name in needed_names(kconfig) if name not in written]
    return "".join(lines)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def edit(kconfig_path, path):
    """Edits the defconfig at `path`; returns whether it was written."""
    old = read(path)
    if old:
        gen_config.Configuration(kconfig_path, path)  # the menu would drop what does not hold
    with tempfile.TemporaryDirectory() as folder:
        working = os.path.join(folder, ".config")
        candidate = os.path.join(folder, os.path.basename(path))
        write(candidate, old)
        while True:
            new = merged(old, edited_by_menu(kconfig_path, candidate, working))
            if new == old:
                return False
            write(candidate, new)
            try:
                gen_config.Configuration(kconfig_path, candidate)
            except gen_config.ConfigError as error:
                print(str(error).replace(candidate, path))
                input("Enter opens the menu again, Ctrl-C leaves the file as it was. ")
                continue
            write(path, new)
            return True


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kconfig", default=os.path.join(ROOT, "Kconfig"), help="the Kconfig file")
    parser.add_argument("--configs", default=os.path.join(ROOT, "configs"),
                        help="the folder of the defconfigs")
    parser.add_argument("--config", required=True, help="the NAME of the NAME_defconfig to edit")
    args = parser.parse_args(arguments)
    if not NAME.match(args.config):
        print(f"edit_config: {args.config!r} is not a name of a-z, 0-9, _ and -", file=sys.stderr)
        return 2
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("edit_config: this is a menu: it needs a terminal", file=sys.stderr)
        return 2
    path = os.path.normpath(os.path.join(args.configs, f"{args.config}_defconfig"))
    shown = os.path.relpath(path)
    try:
        if edit(args.kconfig, path):
            print(f"{shown} written; to build with it: make run CONFIG={args.config}")
        else:
            print(f"{shown} is as it was")
    except (gen_config.ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\n{shown} is as it was")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
