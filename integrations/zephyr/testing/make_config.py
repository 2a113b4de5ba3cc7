#!/usr/bin/python3
"""What Zephyr's build does with Kconfig: a file of assignments becomes .config and autoconf.h.

Ends with one line and status 1 where Kconfig warns: an option that does not exist, a value that it
does not take.
"""

import os
import sys

import kconfiglib

HERE = os.path.dirname(os.path.abspath(__file__))


def load(*files):
    """Zephyr's tree around modmem's, with the assignments of the files; all warnings are kept."""
    os.environ["srctree"] = os.path.join(HERE, "tree")
    kconfig = kconfiglib.Kconfig(os.path.join(HERE, "zephyr.kconfig"), warn_to_stderr=False)
    kconfig.warn_assign_undef = True
    kconfig.warn_assign_override = False
    for file in files:
        kconfig.load_config(file, replace=False)
    return kconfig


def main(out, *files):
    kconfig = load(*files)
    if kconfig.warnings:
        print(kconfig.warnings[0], file=sys.stderr)
        return 1
    os.makedirs(out, exist_ok=True)
    kconfig.write_config(os.path.join(out, ".config"))
    kconfig.write_autoconf(os.path.join(out, "autoconf.h"), header="")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
