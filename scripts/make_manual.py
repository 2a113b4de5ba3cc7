#!/usr/bin/python3
"""Makes the manual pages of modmem and its commands, and completion for bash, zsh and fish.

    make_manual.py MODMEM DOCS FOLDER

What commands and options there are, the program MODMEM says itself (`modmem --describe`); the text
and the examples are the sections of DOCS, docs/tools.md. FOLDER gets man1/*.1, modmem.bash, _modmem
and modmem.fish.
"""

import json
import pathlib
import re
import subprocess
import sys

DATE = "2026-11-23"  # of the pages' form: the same build gives the same pages

# What completes an option's value, by the name of its type.
FILES = ("FILE", "FILE|-", "FILE|FOLDER", "TEXT")
FOLDERS = ("DIR", "FOLDER")

EXIT_STATUS = (("0", "Everything went well."),
               ("1", "Memory ran out or leaked, a comparison found what it looks for, or a budget is exceeded."),
               ("2", "The arguments or the input are bad; one line on standard error says why."))


# --- what docs/tools.md says ---

def sections(docs):
    """The text of each command's section, by its name; of "" the beginning."""
    parts = re.split(r"^## `modmem ?([a-z]*)`.*\n", docs, flags=re.M)
    found = {"": parts[0].split("\n", 1)[1]}
    for name, text in zip(parts[1::2], parts[2::2]):
        found[name] = re.split(r"^## ", text, flags=re.M)[0]
    return found


def paragraphs(text):
    """Paragraphs and lists of a section, without examples, tables and pictures."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text)]
    return [block for block in blocks if block and not block.startswith(("|", "!", "#"))]


def examples(text):
    """Commands that a section shows, each with what comes after it on further lines."""
    commands = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, flags=re.M | re.S):
        commands += re.findall(r"^\$ (.*(?:\\\n.*)*)", block, flags=re.M)
    return [command for command in commands if "modmem" in command]


# --- manual pages ---

def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def roff(markdown):
    """Words of Markdown: `code` in bold, *words* in italics, links as their text."""
    markdown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(markdown.split()))
    parts = re.split(r"(`[^`]*`|\*\*[^*]*\*\*|\*[^*]*\*)", markdown)
    words = []
    for part in parts:
        if part.startswith(("`", "**")):
            words.append("\\fB" + escape(part.strip("`*")) + "\\fR")
        elif part.startswith("*") and len(part) > 2:
            words.append("\\fI" + escape(part.strip("*")) + "\\fR")
        else:
            words.append(escape(part))
    return "".join(words)


def synopsis(command):
    words = []
    for option in command["options"]:
        if option["argument"]:
            name = "\\fI" + escape(option["argument"]) + "\\fR" + (" ..." if option["many"] else "")
            words.append(name if option["required"] else f"[{name}]")
    flagged = any(not option["argument"] and "--help" not in option["names"] for option in command["options"])
    return " ".join((["[\\fIoptions\\fR]"] if flagged else []) + words)


def option_lines(options):
    lines = []
    for option in options:
        names = ", ".join("\\fB" + escape(name) + "\\fR" for name in option["names"])
        if option["argument"]:
            names = "\\fI" + escape(option["argument"]) + "\\fR"
        elif option["type"]:
            names += " \\fI" + escape(option["type"]) + "\\fR"
        text = escape(option["help"])
        if option["default"]:
            text += f" (\\fB{escape(option['default'])}\\fR where not given)"
        if option["required"] and not option["argument"]:
            text += " (required)"
        lines += [".TP", names, re.sub(r"^([.'])", r"\\&\1", text) + "."]
    return lines


def page(name, title, body):
    return "\n".join([f'.TH {name.upper()} 1 "{DATE}" "modmem" "modmem manual"', ".ad l", ".nh", ".SH NAME",
                      f"{escape(name)} \\- {escape(title[0].lower() + title[1:])}", *body]) + "\n"


def prose(text):
    lines = []
    for block in paragraphs(text):
        if block.startswith("- "):
            for item in re.split(r"^- ", block, flags=re.M)[1:]:
                lines += [".IP \\(bu 2", roff(item)]
        else:
            lines += [".PP", roff(block)]
    return lines[1:] if lines[:1] == [".PP"] else lines


def example_lines(text):
    lines = []
    for command in examples(text):
        lines += [".PP", ".nf", ".RS 4", escape(command), ".RE", ".fi"]
    return [".SH EXAMPLES", *lines[1:]] if lines else []


def status_lines():
    lines = [".SH EXIT STATUS"]
    for status, meaning in EXIT_STATUS:
        lines += [".TP", status, meaning]
    return lines


def command_page(command, text):
    name = "modmem-" + command["name"]
    return page(name, command["help"],
                [".SH SYNOPSIS", f"\\fBmodmem {command['name']}\\fR {synopsis(command)}",
                 ".SH DESCRIPTION", *(prose(text) or [escape(command["help"]) + "."]),
                 ".SH OPTIONS", *option_lines(command["options"]), *status_lines(), *example_lines(text),
                 ".SH SEE ALSO", ".BR modmem (1)"])


def main_page(described, text):
    commands = []
    for command in described["commands"]:
        commands += [".TP", f".BR modmem\\-{command['name']} (1)", escape(command["help"]) + "."]
    return page("modmem", described["help"].rstrip("."),
                [".SH SYNOPSIS", "\\fBmodmem\\fR \\fIcommand\\fR [\\fIoptions\\fR]",
                 ".SH DESCRIPTION", *prose(text), ".SH COMMANDS", *commands,
                 ".SH OPTIONS", *option_lines(described["options"]), *status_lines()])


# --- completion ---

def kind_of(option, described):
    """How an option's value is completed: files, folders, words, lists of them, or nothing."""
    if "--platform" in option["names"]:
        return "words", described["platforms"]
    if "--policy" in option["names"]:
        return ("list" if option["type"] == "LIST" else "words"), described["policies"]
    if option["type"] in FILES:
        return "files", []
    if option["type"] in FOLDERS:
        return "folders", []
    return "nothing", []


def arguments_of(command):
    return [option for option in command["options"] if option["argument"]]


def options_of(command):
    return [option for option in command["options"] if not option["argument"]]


def bash(described):
    names = " ".join(command["name"] for command in described["commands"])
    top = " ".join(name for option in described["options"] for name in option["names"])
    lines = ["# Completion of modmem for bash. Made from what the program says of itself.", "_modmem() {",
             "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}",
             "  local command='' i options='' kind='files' words='' head=''",
             "  # A word with = comes in three.",
             "  if [[ $word == '=' ]]; then", "    word=''",
             "  elif [[ $previous == '=' ]]; then", "    previous=${COMP_WORDS[COMP_CWORD-2]}", "  fi",
             "  for ((i = 1; i < COMP_CWORD; ++i)); do",
             "    [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }", "  done",
             "  case $command in"]
    for command in described["commands"]:
        options = " ".join(name for option in options_of(command) for name in option["names"])
        if not arguments_of(command):
            lines += [f"    {command['name']}) options='{options}' kind='nothing' ;;"]
        else:
            lines += [f"    {command['name']}) options='{options}' ;;"]
    lines += [f"    *) options='{top}' kind='words' words='{names}' ;;", "  esac",
              "  case $command:$previous in"]
    for command in described["commands"]:
        for option in options_of(command):
            if option["type"]:
                kind, words = kind_of(option, described)
                where = " | ".join(f"{command['name']}:{name}" for name in option["names"])
                lines += [f"    {where}) options='' kind='{kind}' words='{' '.join(words)}' ;;"]
    lines += ["  esac", "  if [[ $word == -* && -n $options ]]; then",
              "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))", "    return", "  fi",
              "  compopt +o default 2>/dev/null", "  case $kind in",
              "    files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$word\")) ;;",
              "    folders) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$word\")) ;;",
              "    words) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;", "    list)",
              "      [[ $word != *,* ]] || head=${word%,*},",
              "      COMPREPLY=($(compgen -P \"$head\" -W \"$words\" -- \"${word##*,}\")) ;;",
              "    *) COMPREPLY=() ;;", "  esac", "}", "complete -F _modmem modmem", ""]
    return "\n".join(lines)


def zsh(described):
    def quoted(text):
        return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")

    def action(option):
        kind, words = kind_of(option, described)
        return {"files": "_files", "folders": "_files -/", "nothing": " ",
                "words": f"({' '.join(words)})", "list": f"_values -s , policy {' '.join(words)}"}[kind]

    def one(option):
        if option["argument"]:
            return [f"'{'*' if option['many'] else ''}:{quoted(option['argument'])}:_files'"]
        value = f":{quoted(option['type'])}:{action(option)}" if option["type"] else ""
        return [f"'{name}{'=' if value and name.startswith('--') else ''}[{quoted(option['help'])}]{value}'"
                for name in option["names"]]

    lines = ["#compdef modmem", "# Completion of modmem for zsh. Made from what the program says of itself.",
             "local -a commands", "commands=("]
    lines += [f"  '{command['name']}:{quoted(command['help'])}'" for command in described["commands"]]
    lines += [")", "if ((CURRENT == 2)); then", "  _describe command commands",
              f"  _arguments {' '.join(word for option in described['options'] for word in one(option))}",
              "  return", "fi", "local command=${words[2]}", "shift words", "((CURRENT--))", "case $command in"]
    for command in described["commands"]:
        lines += [f"  {command['name']})", "    _arguments \\"]
        words = [word for option in command["options"] for word in one(option)]
        lines += [f"      {word} \\" for word in words[:-1]] + [f"      {words[-1]}", "    ;;"]
    return "\n".join(lines + ["esac", ""])


def fish(described):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def one(condition, option):
        words = ["complete -c modmem", f"-n {quoted(condition)}"]
        words += [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option["names"]]
        if option["type"]:
            kind, values = kind_of(option, described)
            words += {"files": ["-r -F"], "folders": ["-x -a '(__fish_complete_directories)'"], "nothing": ["-x"],
                      "words": [f"-x -a {quoted(' '.join(values))}"],
                      "list": [f"-x -a {quoted(f'(__fish_append , {chr(32).join(values)})')}"]}[kind]
        return " ".join(words + [f"-d {quoted(option['help'])}"])

    lines = ["# Completion of modmem for fish. Made from what the program says of itself.",
             "complete -c modmem -n __fish_use_subcommand -f"]
    for command in described["commands"]:
        lines += [f"complete -c modmem -n __fish_use_subcommand -a {command['name']} -d {quoted(command['help'])}"]
    lines += [one("__fish_use_subcommand", option) for option in described["options"]]
    for command in described["commands"]:
        seen = f"__fish_seen_subcommand_from {command['name']}"
        lines += [one(seen, option) for option in options_of(command)]
    return "\n".join(lines + [""])


def main():
    program, docs, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    result = subprocess.run([program, "--describe"], capture_output=True, text=True, check=True)
    described = json.loads(result.stdout)
    texts = sections(docs.read_text(encoding="utf-8"))
    (folder / "man1").mkdir(parents=True, exist_ok=True)
    for old in (folder / "man1").glob("*.1"):
        old.unlink()
    (folder / "man1" / "modmem.1").write_text(main_page(described, texts[""]), encoding="utf-8")
    for command in described["commands"]:
        text = command_page(command, texts.get(command["name"], ""))
        (folder / "man1" / f"modmem-{command['name']}.1").write_text(text, encoding="utf-8")
    (folder / "modmem.bash").write_text(bash(described), encoding="utf-8")
    (folder / "_modmem").write_text(zsh(described), encoding="utf-8")
    (folder / "modmem.fish").write_text(fish(described), encoding="utf-8")


if __name__ == "__main__":
    main()
