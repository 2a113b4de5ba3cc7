#!/usr/bin/python3
"""docs/tools.md shows what the commands print, and every command; the manual pages and completion
that are made from it are sound, and complete what the program takes."""

import json
import os
import pathlib
import re
import subprocess
import sys

from testing import program

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "tools.md"
# Pages whose examples are run.
PAGES = (DOCS, ROOT / "docs" / "planning.md", ROOT / "docs" / "tracing.md", ROOT / "docs" / "coherence.md")
MAKE = ROOT / "scripts" / "make_manual.py"


def described():
    return json.loads(program.run("--describe").out)


def examples(page=DOCS):
    """Commands with what they print, in order."""
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def pattern_of(output):
    """... on a line of its own is any lines, in a line any words."""
    parts = []
    for line in output.splitlines():
        words = r"[^\n]*".join(re.escape(part.rstrip()) if last else re.escape(part)
                               for part, last in zip(line.split("..."), [False] * line.count("...") + [True]))
        parts.append(r"(?:[^\n]*\n)*?" if line.strip() == "..." else words + r" *\n")
    return "".join(parts)


class DocsTest(program.TestCase):
    def make(self):
        subprocess.run([sys.executable, MAKE, program.path(), DOCS, self.folder], check=True)
        return self.folder

    def test_what_is_shown_is_what_is_printed(self):
        for page in PAGES:
            with self.subTest(page=page.name):
                self.assert_prints(page, self.folder / page.stem)

    def assert_prints(self, page, folder):
        folder.mkdir()
        (folder / "bin").mkdir()
        (folder / "bin" / "modmem").symlink_to(program.path())
        (folder / "examples").symlink_to(ROOT / "examples")
        for topology in pathlib.Path(program.example("desk")).parent.glob("*.tplg"):
            (folder / topology.name).symlink_to(topology)
        path = str(folder / "bin") + os.pathsep + os.environ["PATH"]
        shown = list(examples(page))
        self.assertGreater(len(shown), 1)
        for command, output in shown:
            result = subprocess.run(["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path},
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self.assertRegex(result.stdout, re.compile(r"\A" + pattern_of(output) + r"\Z"), command)

    def test_every_command_has_a_section_and_an_example(self):
        text = DOCS.read_text(encoding="utf-8")
        commands = [command["name"] for command in described()["commands"]]
        self.assertEqual(sorted(re.findall(r"^## `modmem (\w+)`", text, flags=re.M)), sorted(commands))
        for command in commands:
            self.assertRegex(text, rf"\n\| \[`{command}`\]\(#modmem-{command}\) \|")
            self.assertTrue(any(f"modmem {command} " in shown for shown, _ in examples()), command)

    def test_options_that_are_named_exist(self):
        known = {name for command in described()["commands"] for option in command["options"]
                 for name in option["names"]}
        named = set(re.findall(r"`(--[a-z][a-z-]*)", DOCS.read_text(encoding="utf-8")))
        self.assertGreater(len(named), 3)
        self.assertLessEqual(named, known)

    def test_manual_pages_are_sound(self):
        pages = sorted((self.make() / "man1").glob("*.1"))
        self.assertEqual(sorted(page.stem for page in pages),
                         sorted(["modmem"] + ["modmem-" + command["name"] for command in described()["commands"]]))
        result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True,
                                check=False)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_manual_pages_name_every_option(self):
        folder = self.make()
        for command in described()["commands"]:
            page = folder / "man1" / f"modmem-{command['name']}.1"
            shown = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, check=True).stdout
            shown = re.sub(r".\x08", "", shown)
            self.assertIn(f"modmem {command['name']}", shown)
            for option in command["options"]:
                for name in option["names"] or [option["argument"]]:
                    self.assertRegex(shown, rf"(?m)^ +(?:-\w, )?{name}\b", command["name"])
            self.assertRegex(shown, rf"EXAMPLES\n +.*modmem {command['name']}")
            self.assertNotIn("`", shown)
            self.assertNotIn("](", shown)

    def test_what_is_installed_works(self):
        prefix = self.folder / "a place"
        script = ROOT / "scripts" / "install_library.sh"
        env = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
        result = subprocess.run(["bash", script, pathlib.Path(program.path()).parent, prefix, "tools"],
                                capture_output=True, text=True, check=False, env={**env, "DESTDIR": ""})
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ("man/man1/modmem.1", "man/man1/modmem-run.1", "bash-completion/completions/modmem",
                     "zsh/site-functions/_modmem", "fish/vendor_completions.d/modmem.fish",
                     "modmem/topologies/desk.tplg"):
            self.assertTrue((prefix / "share" / name).is_file(), name)
        (self.folder / "work").mkdir()
        result = subprocess.run([prefix / "bin" / "modmem", "run", "--seconds", "0.01"], capture_output=True, text=True,
                                check=False, cwd=self.folder / "work")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.startswith("playback-and-capture.tplg on "))

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _modmem; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        result = subprocess.run(["bash", "-c", script, "bash", self.folder / "modmem.bash", "modmem", *words],
                                cwd=self.folder, capture_output=True, text=True, check=True)
        self.assertEqual(result.stderr, "")
        return sorted(result.stdout.split())

    def test_bash_completes_what_the_program_takes(self):
        self.make()
        facts = described()
        self.assertEqual(self.complete(""), sorted(command["name"] for command in facts["commands"]))
        self.assertEqual(self.complete("rep"), ["replay", "report"])
        self.assertIn("--help", self.complete("-"))
        (self.folder / "music.tplg").write_text("")
        (self.folder / "traces").mkdir()
        for command in facts["commands"]:
            name = command["name"]
            options = sorted(word for option in command["options"] for word in option["names"])
            self.assertEqual(self.complete(name, "-"), options)
            for option in command["options"]:
                for word in option["names"]:
                    offered = self.complete(name, word, "")
                    if word == "--platform":
                        self.assertEqual(offered, sorted(facts["platforms"]))
                    elif word == "--policy":
                        self.assertEqual(offered, sorted(facts["policies"]))
                    elif option["type"] in ("FILE", "FILE|-", "FILE|FOLDER"):
                        self.assertIn("music.tplg", offered, (name, word))
                    elif option["type"] == "DIR":
                        self.assertEqual(offered, ["man1", "traces"])
                    elif option["type"]:
                        self.assertEqual(offered, [], (name, word))
        self.assertEqual(self.complete("run", "mus"), ["music.tplg"])
        self.assertEqual(self.complete("run", "--platform", "=", "pt"), ["ptl"])
        self.assertEqual(self.complete("replay", "x.csv", "--policy", "elastic,si"), ["elastic,single"])

    def test_other_shells_can_read_theirs(self):
        self.make()
        for shell, arguments, name in (("zsh", ["-n"], "_modmem"), ("fish", ["--no-execute"], "modmem.fish")):
            result = subprocess.run([shell, *arguments, self.folder / name], capture_output=True, text=True,
                                    check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""), shell)


if __name__ == "__main__":
    program.main()
