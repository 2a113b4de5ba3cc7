#!/usr/bin/python3
"""Turn Kconfig and configs/*_defconfig into modmem's configuration headers.

Writes into the output folder, touching only files whose content changes:

  config.hpp   namespace modmem::config, one constexpr value for each option
  config.h     the same as C macros, MODMEM_CONFIG_*
  presets.hpp  kPresets, a PlatformConfig for every configs/NAME_defconfig that describes platform
               NAME, and kDefaultPlatform, the one of the configuration that was chosen

A configuration that does not hold ends with one line on stderr that names the file, the option
and the reason, and with exit status 1.
"""

import argparse
import os
import re
import sys

import kconfiglib

ASSIGNMENT = re.compile(r"(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)\s*$")
PLATFORM_NAME = re.compile(r"[a-z][a-z0-9_-]*$")

# The members of modmem::PlatformConfig in their order, and the option that each comes from.
PLATFORM_MEMBERS = (
    ("name", "PLATFORM"),
    ("sram_bytes", "SRAM_BYTES"),
    ("bank_bytes", "BANK_BYTES"),
    ("reserve_bytes", "RESERVE_BYTES"),
    ("cores", "CORES"),
    ("has_mmu", "HAS_MMU"),
    ("window_bytes", "WINDOW_BYTES"),
    ("span_bytes", "SPAN_BYTES"),
    ("cache_line_bytes", "CACHE_LINE_BYTES"),
    ("dma_alignment", "DMA_ALIGNMENT"),
    ("lp_sram_bytes", "LP_SRAM_BYTES"),
    ("l3_bytes", "L3_BYTES"),
    ("arena_bytes", "ARENA_BYTES"),
    ("slots_arena_bytes", "SLOTS_ARENA_BYTES"),
    ("headroom_divisor", "HEADROOM_DIVISOR"),
    ("policy", "POLICY"),
    ("retained_pages", "RETAINED_PAGES"),
    ("retained_us", "RETAINED_US"),
    ("bank_hold_us", "BANK_HOLD_US"),
    ("max_heaps", "MAX_HEAPS"),
    ("max_owners", "MAX_OWNERS"),
    ("max_sites", "MAX_SITES"),
    ("metadata_bytes", "METADATA_BYTES"),
)

POWERS_OF_TWO = ("PAGE_BYTES", "GRANULE_BYTES", "BANK_BYTES", "CACHE_LINE_BYTES", "DMA_ALIGNMENT")
WHOLE_PAGES = ("BANK_BYTES", "RESERVE_BYTES", "WINDOW_BYTES", "SPAN_BYTES", "LP_SRAM_BYTES",
               "L3_BYTES", "ARENA_BYTES", "SLOTS_ARENA_BYTES", "VMH_REGION_BYTES")

BUNDLE = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)$")
MAX_BUNDLES = 10
MAX_BUNDLE_NUMBER = 1 << 30

# Frames and pages are numbered in 16 bits, and one number stands for none.
MAX_PAGES = 0xFFFE
# What names of metadata tell apart: page/metadata_heap.hpp.
METADATA_UNITS = 0xFFFF
METADATA_UNIT_BYTES = 16

BANNER = """\
// Generated from Kconfig and configs/{config}_defconfig by scripts/gen_config.py; edit those.
"""


class ConfigError(Exception):
    """A configuration that does not hold; the message names file, option and reason, in one line."""

    def __init__(self, message):
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class Configuration:
    """The options that one defconfig leaves in force: `values`, by symbol, in Kconfig's order."""

    def __init__(self, kconfig_path, path, overrides=(), fragments=()):
        self.path = path
        self.name = os.path.basename(path).removesuffix("_defconfig")
        self.kconfig = kconfiglib.Kconfig(kconfig_path, warn_to_stderr=False)
        # A fragment says otherwise on purpose.
        self.kconfig.warn_assign_override = False
        self.assigned = {}  # {symbol: (value as text, line number or None, file)}
        self._load(overrides, fragments)
        self.values = {symbol.name: value_of(symbol) for symbol in self.kconfig.unique_defined_syms}
        self._check_values()

    def fail(self, symbol, reason, line=None, path=None):
        path = path or self.path
        where = path if line is None else f"{path}:{line}"
        raise ConfigError(f"{where}: {symbol}: {reason}")

    def _load(self, overrides, fragments):
        for path in (self.path, *fragments):
            self._add(self._read_assignments(path))
        self.kconfig.load_config(self.path)
        for path in fragments:
            self.kconfig.load_config(path, replace=False)
        for name, value in overrides:
            if name not in self.kconfig.syms or not self.kconfig.syms[name].nodes:
                self.fail(name, "no such option in Kconfig")
            self.kconfig.syms[name].set_value(value)
            self.assigned[name] = (value, None, self.path)
        for name, (value, line, path) in self.assigned.items():
            self._check_assignment(self.kconfig.syms[name], value, line, path)
        if self.kconfig.warnings:
            raise ConfigError(f"{self.path}: {self.kconfig.warnings[0]}")

    def _add(self, assigned):
        """Notes the assignments of one file. Where it chooses, what was chosen before is not."""
        for name, (value, _, _) in assigned.items():
            choice = self.kconfig.syms[name].choice
            for other in choice.syms if choice and value == "y" else ():
                self.assigned.pop(other.name, None)
        self.assigned |= assigned

    def _read_assignments(self, path):
        """The assignments of one file: {symbol: (value as text, line number, file)}."""
        assigned = {}
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise ConfigError(f"{path}: {reason}") from error
        for number, text in enumerate(lines, 1):
            match = ASSIGNMENT.match(text)
            if not match:
                if text.strip() and not text.startswith("#"):
                    raise ConfigError(f"{path}:{number}: not an assignment: {text.strip()}")
                continue
            name = match[1] or match[3]
            if name not in self.kconfig.syms or not self.kconfig.syms[name].nodes:
                self.fail(name, "no such option in Kconfig", number, path)
            if name in assigned:
                self.fail(name, f"assigned before, on line {assigned[name][1]}", number, path)
            assigned[name] = (match[2].strip() if match[1] else "n", number, path)
        return assigned

    def _check_assignment(self, symbol, value, line, path):
        """Kconfig falls back on the default where it does not accept a value; we do not."""
        if symbol.type == kconfiglib.STRING:
            accepted = value == f'"{kconfiglib.escape(symbol.str_value)}"'
        elif symbol.type in (kconfiglib.INT, kconfiglib.HEX):
            accepted = symbol.str_value and as_number(value, symbol) == value_of(symbol)
        else:
            accepted = value == symbol.str_value
        if accepted:
            return
        if symbol.type in (kconfiglib.INT, kconfiglib.HEX) and as_number(value, symbol) is None:
            kind = "a hexadecimal number" if symbol.type == kconfiglib.HEX else "a decimal number"
            self.fail(symbol.name, f"{value} is not {kind}", line, path)
        if not symbol.visibility:
            needs = kconfiglib.expr_str(symbol.direct_dep)
            reason = "cannot be assigned" if needs == "y" else f"depends on {needs}"
            self.fail(symbol.name, reason, line, path)
        for low, high, condition in symbol.ranges:
            if kconfiglib.expr_value(condition):
                self.fail(symbol.name,
                          f"{value} is out of range [{low.str_value}, {high.str_value}]", line, path)
        self.fail(symbol.name, f"{value} is not a value that it takes", line, path)

    def _check_values(self):
        """What Kconfig cannot say."""
        values = self.values
        if not PLATFORM_NAME.match(values["PLATFORM"]):
            self.fail("PLATFORM", f'"{values["PLATFORM"]}" is not a name of a-z, 0-9, _ and -')
        for name in POWERS_OF_TWO:
            if values[name] & (values[name] - 1):
                self.fail(name, f"{values[name]} is not a power of two")
        for name in WHOLE_PAGES:
            if values[name] % values["PAGE_BYTES"]:
                self.fail(name, f"{values[name]:#x} is not a multiple of PAGE_BYTES "
                                f"({values['PAGE_BYTES']})")
        if values["SRAM_BYTES"] % values["BANK_BYTES"]:
            self.fail("SRAM_BYTES", f"{values['SRAM_BYTES']:#x} is not a multiple of BANK_BYTES "
                                    f"({values['BANK_BYTES']:#x})")
        if values["RESERVE_BYTES"] >= values["SRAM_BYTES"]:
            self.fail("RESERVE_BYTES", f"{values['RESERVE_BYTES']:#x} leaves no pool of SRAM_BYTES "
                                       f"({values['SRAM_BYTES']:#x})")
        pool_bytes = values["SRAM_BYTES"] - values["RESERVE_BYTES"]
        if values["ARENA_BYTES"] > pool_bytes:
            self.fail("ARENA_BYTES", f"{values['ARENA_BYTES']:#x} is more than SRAM_BYTES less "
                                     f"RESERVE_BYTES ({pool_bytes:#x})")
        for name in ("SRAM_BYTES", "WINDOW_BYTES", "LP_SRAM_BYTES", "L3_BYTES"):
            if values[name] // values["PAGE_BYTES"] > MAX_PAGES:
                self.fail(name, f"{values[name]:#x} is more than {MAX_PAGES} pages of PAGE_BYTES "
                                f"({values['PAGE_BYTES']})")
        if values["METADATA_BYTES"] % values["GRANULE_BYTES"]:
            self.fail("METADATA_BYTES", f"{values['METADATA_BYTES']:#x} is not a multiple of "
                                        f"GRANULE_BYTES ({values['GRANULE_BYTES']})")
        reach = METADATA_UNITS * METADATA_UNIT_BYTES // values["PAGE_BYTES"] * values["PAGE_BYTES"]
        if values["METADATA_BYTES"] > reach:
            self.fail("METADATA_BYTES", f"{values['METADATA_BYTES']:#x} is more than names of 16 bits "
                                        f"reach ({reach:#x})")
        self._check_bundles(values)
        for smaller, larger in (("GRANULE_BYTES", "CACHE_LINE_BYTES"),
                                ("CACHE_LINE_BYTES", "PAGE_BYTES"),
                                ("DMA_ALIGNMENT", "PAGE_BYTES"),
                                ("SPAN_BYTES", "WINDOW_BYTES")):
            if values[smaller] > values[larger]:
                self.fail(smaller, f"{values[smaller]:#x} is more than {larger} "
                                   f"({values[larger]:#x})")

    def _check_bundles(self, values):
        """SLOT_BUNDLES is a table that a heap of slots takes."""
        _, line, path = self.assigned.get("SLOT_BUNDLES", (None, None, None))
        bundles = values["SLOT_BUNDLES"].split(" ")
        if len(bundles) > MAX_BUNDLES:
            self.fail("SLOT_BUNDLES", f"{len(bundles)} sizes are more than {MAX_BUNDLES}", line, path)
        for bundle in bundles:
            match = BUNDLE.match(bundle)
            size, count = map(int, match.groups()) if match else (0, 0)
            if not match or max(size, count) > MAX_BUNDLE_NUMBER:
                self.fail("SLOT_BUNDLES", f'"{bundle}" is not SIZExCOUNT', line, path)
            if size & (size - 1):
                self.fail("SLOT_BUNDLES", f"{size} is not a power of two", line, path)
            if size < values["GRANULE_BYTES"] // 2:
                self.fail("SLOT_BUNDLES", f"{size} is less than half a granule", line, path)
            # The default is one for pages of the usual size.
            if path is not None and size * count % values["PAGE_BYTES"]:
                self.fail("SLOT_BUNDLES", f"{bundle} is not a multiple of PAGE_BYTES "
                                          f"({values['PAGE_BYTES']})", line, path)

    def is_preset(self):
        """Whether this file is a platform's own, rather than one that builds for a platform."""
        return self.name == self.values["PLATFORM"]


def as_number(text, symbol):
    """The number that `text` is in the notation of the option's type, or None."""
    try:
        return int(text, 16 if symbol.type == kconfiglib.HEX else 10)
    except ValueError:
        return None


def value_of(symbol):
    """The option's value: bool, int or str; zero where its dependencies do not hold."""
    if symbol.type == kconfiglib.BOOL:
        return symbol.tri_value == 2
    if symbol.type in (kconfiglib.INT, kconfiglib.HEX):
        return as_number(symbol.str_value, symbol) if symbol.str_value else 0
    return symbol.str_value


def constant_name(symbol_name):
    """PAGE_BYTES -> kPageBytes"""
    return "k" + "".join(part.capitalize() for part in symbol_name.split("_"))


def cpp_literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{kconfiglib.escape(value)}"'
    return str(value)


def cpp_type(name, value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "const char*"
    sizes = name.endswith("_BYTES") or name == "DMA_ALIGNMENT"
    return "std::size_t" if sizes else "std::uint32_t"


def options(configuration):
    """(symbol, its prompt or None, value) of every option, in Kconfig's order."""
    for symbol in configuration.kconfig.unique_defined_syms:
        prompt = symbol.nodes[0].prompt
        yield symbol, prompt[0] if prompt else None, configuration.values[symbol.name]


def config_hpp(configuration):
    out = [BANNER.format(config=configuration.name),
           "#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\n",
           "namespace modmem::config {\n\n"]
    for symbol, prompt, value in options(configuration):
        comment = f"  // {prompt}" if prompt else ""
        out.append(f"inline constexpr {cpp_type(symbol.name, value)} {constant_name(symbol.name)} = "
                   f"{cpp_literal(value)};{comment}\n")
    out.append("\n}  // namespace modmem::config\n")
    return "".join(out)


def config_h(configuration):
    out = ["/* Generated from Kconfig and "
           f"configs/{configuration.name}_defconfig by scripts/gen_config.py; edit those. */\n\n",
           "#ifndef MODMEM_CONFIG_H_\n#define MODMEM_CONFIG_H_\n\n"]
    for symbol, _, value in options(configuration):
        literal = str(int(value)) if isinstance(value, bool) else cpp_literal(value)
        out.append(f"#define MODMEM_CONFIG_{symbol.name} {literal}\n")
    out.append("\n#endif /* MODMEM_CONFIG_H_ */\n")
    return "".join(out)


def initializer(configuration):
    lines = [f"    .{member} = {cpp_literal(configuration.values[symbol])},\n"
             for member, symbol in PLATFORM_MEMBERS]
    return "PlatformConfig{\n" + "".join(lines) + "}"


def presets_hpp(chosen, presets):
    out = [BANNER.format(config=chosen.name),
           "#pragma once\n\n#include <array>\n\n#include \"port/platform_config.hpp\"\n\n",
           "namespace modmem::config {\n\n",
           "// The platform that this build is configured for.\n",
           f"inline constexpr PlatformConfig kDefaultPlatform = {initializer(chosen)};\n\n",
           "// Every platform that configs/ describes, by name.\n",
           f"inline constexpr std::array<PlatformConfig, {len(presets)}> kPresets = {{{{\n"]
    out += [initializer(preset) + ",\n" for preset in presets]
    out.append("}};\n\n}  // namespace modmem::config\n")
    return "".join(out)


def read_presets(kconfig_path, configs, chosen):
    """The presets of folder `configs`, by name, each on whole pages of the chosen configuration."""
    presets = []
    for file in sorted(os.listdir(configs)):
        if not file.endswith("_defconfig"):
            continue
        preset = Configuration(kconfig_path, os.path.join(configs, file),
                               [("PAGE_BYTES", str(chosen.values["PAGE_BYTES"])),
                                ("GRANULE_BYTES", str(chosen.values["GRANULE_BYTES"]))])
        if preset.is_preset():
            presets.append(preset)
    if not presets:
        raise ConfigError(f"{configs}: no NAME_defconfig whose PLATFORM is NAME")
    return presets


def write_if_changed(path, content):
    """Leaves a file alone that is up to date, so that nothing is compiled again for it."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == content:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def parse_override(text):
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text} is not OPTION=VALUE")
    return name, value


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kconfig", required=True, help="the Kconfig file")
    parser.add_argument("--configs", required=True, help="the folder of the defconfigs")
    parser.add_argument("--config", required=True, help="the NAME of the NAME_defconfig to use")
    parser.add_argument("--fragment", action="append", default=[], metavar="FILE",
                        help="a file of assignments that come on top of the defconfig's")
    parser.add_argument("--set", action="append", default=[], type=parse_override,
                        metavar="OPTION=VALUE", help="an option to set on top of the defconfig")
    parser.add_argument("--out", required=True, help="the folder to write the headers to")
    args = parser.parse_args(arguments)
    try:
        path = os.path.join(args.configs, f"{args.config}_defconfig")
        chosen = Configuration(args.kconfig, path, args.set, args.fragment)
        presets = read_presets(args.kconfig, args.configs, chosen)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    os.makedirs(args.out, exist_ok=True)
    write_if_changed(os.path.join(args.out, "config.hpp"), config_hpp(chosen))
    write_if_changed(os.path.join(args.out, "config.h"), config_h(chosen))
    write_if_changed(os.path.join(args.out, "presets.hpp"), presets_hpp(chosen, presets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
