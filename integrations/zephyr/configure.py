#!/usr/bin/python3
"""Carry modmem's options into Zephyr's configuration, and the chosen values back.

  options          print what Kconfig.options has to be: the options of the repository's Kconfig that
                   are the library's, each with MODMEM_ before its name
  headers          turn the values that Zephyr's .config has for them into modmem/config.hpp and its
                   siblings, by scripts/gen_config.py, with all of its checks

So each option is declared once, in the repository's Kconfig. What Zephyr knows better (SRAM, banks,
cores, caches) is not among them: devicetree and Zephyr's own options say it.
"""

import argparse
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import gen_config  # noqa: E402  (needs the path)
import kconfiglib  # noqa: E402

PREFIX = "MODMEM_"
LIBRARY_MENU = "Library"
# Options of the platform that no devicetree has; the glue reads them as CONFIG_MODMEM_*.
PLATFORM_OPTIONS = ("SPAN_BYTES", "ARENA_BYTES", "SLOTS_ARENA_BYTES")
# Declared by hand, as it depends on Zephyr's driver.
BY_HAND = "HAS_MMU"

BANNER = """\
# Options of the library. Made from the repository's Kconfig by
# `integrations/zephyr/configure.py options`; edit that one.
"""


def children(node):
    """The nodes right below a menu or choice."""
    node = node.list
    while node:
        yield node
        node = node.next


def nodes_below(node):
    """The nodes of a menu in their order, also those that stand below one that they depend on."""
    for child in children(node):
        yield child
        if not isinstance(child.item, kconfiglib.Choice):
            yield from nodes_below(child)


def library_nodes(kconfig):
    """The nodes of the library's menu, and those of the platform's that come along."""
    for menu in children(kconfig.top_node):
        if menu.prompt[0] == LIBRARY_MENU:
            yield from nodes_below(menu)
    for name in PLATFORM_OPTIONS:
        yield from kconfig.syms[name].nodes


def declared(kconfig):
    """The names of all options and choices that library_nodes() declares."""
    names = []
    for node in library_nodes(kconfig):
        names.append(node.item.name)
        if isinstance(node.item, kconfiglib.Choice):
            names += [child.item.name for child in children(node)]
    return names


def with_prefix(text, names):
    # kconfiglib's own way to say that an option is one of a choice's, which the place says already.
    text = re.sub(r"\tdepends on <choice \w+>\n| && <choice \w+>", "", text)
    return re.sub(rf"\b({'|'.join(sorted(names, key=len, reverse=True))})\b", PREFIX + r"\1", text)


def options(kconfig):
    """The text of Kconfig.options."""
    parts = [BANNER]
    for node in library_nodes(kconfig):
        parts.append(str(node).rstrip() + "\n")
        if isinstance(node.item, kconfiglib.Choice):
            parts += [str(child).rstrip() + "\n" for child in children(node)]
            parts.append("endchoice\n")
    return with_prefix("\n".join(parts), [*declared(kconfig), BY_HAND])


def defconfig(kconfig, dotconfig):
    """The lines of Zephyr's .config that are values of the library, as one of configs/."""
    wanted = {BY_HAND} | {name for name in declared(kconfig)
                          if name in kconfig.syms and name not in PLATFORM_OPTIONS
                          and kconfig.syms[name].nodes[0].prompt}
    lines = ['CONFIG_PLATFORM="zephyr"']
    with open(dotconfig, encoding="utf-8") as file:
        for line in file:
            match = re.match(rf"(# )?CONFIG_{PREFIX}(\w+)(=.*| is not set)$", line)
            if match and match[2] in wanted:
                lines.append(f"{match[1] or ''}CONFIG_{match[2]}{match[3]}")
    if f"CONFIG_{BY_HAND}=y" not in lines and f"# CONFIG_{BY_HAND} is not set" not in lines:
        lines.append(f"# CONFIG_{BY_HAND} is not set")
    return "\n".join(lines) + "\n"


def headers(kconfig, kconfig_path, dotconfig, out):
    configs = os.path.join(out, "configs")
    os.makedirs(configs, exist_ok=True)
    gen_config.write_if_changed(os.path.join(configs, "zephyr_defconfig"),
                                defconfig(kconfig, dotconfig))
    return gen_config.main(["--kconfig", kconfig_path, "--configs", configs, "--config", "zephyr",
                            "--out", os.path.join(out, "modmem")])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("options", help="print Kconfig.options")
    make = commands.add_parser("headers", help="make the headers of a configuration")
    make.add_argument("--dotconfig", required=True, help="Zephyr's .config")
    make.add_argument("--out", required=True, help="the folder that gets configs/ and modmem/")
    args = parser.parse_args(arguments)
    path = os.path.join(ROOT, "Kconfig")
    kconfig = kconfiglib.Kconfig(path, warn_to_stderr=False)
    if args.command == "options":
        sys.stdout.write(options(kconfig))
        return 0
    return headers(kconfig, path, args.dotconfig, args.out)


if __name__ == "__main__":
    sys.exit(main())
