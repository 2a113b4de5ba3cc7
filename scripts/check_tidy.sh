#!/usr/bin/env bash
# Runs clang-tidy on the project's sources that a build folder compiles.
#
#   scripts/check_tidy.sh BUILD_FOLDER [FILE...]
#
# FILEs are paths from the repository root; default: every .cpp in the build folder's compile
# database but the tests, which are half of all sources and would take the other half of the time.
# TIDY_FLAGS in the environment are what clang needs beside the flags of that database, where it was
# made for another compiler.
# Prints only findings; exit status 1 where there is one.
set -euo pipefail

build=$1
read -ra flags <<<"${TIDY_FLAGS:-}"
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -f $build/compile_commands.json ]] || {
  printf 'check_tidy: %s has no compile_commands.json: configure it first\n' "$build" >&2
  exit 1
}

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
  # "file" is an absolute path in the compile database.
  mapfile -t files < <(sed -n "s|^ *\"file\": \"$PWD/\(.*\.cpp\)\",\{0,1\}\$|\1|p" \
    "$build/compile_commands.json" | grep -v '_test\.cpp$\|/testing/\|^fuzz/' | sort -u)
fi
[[ ${#files[@]} -gt 0 ]] || { printf 'check_tidy: nothing to look at\n' >&2; exit 1; }

# One line of statistics on stderr per file is of no use; what is left there is an error of its own.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build" "${flags[@]}" 2> >(grep -v 'warnings\? .*generated\|^Suppressed\|^Use -header' >&2)
