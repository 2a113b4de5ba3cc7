#!/usr/bin/env bash
# Installs the C library of a finished build, or what else is asked for.
#
#   scripts/install_library.sh BUILD_DIR PREFIX [COMPONENT...]
#
# Components are `c`, the library, and `tools`, the program with its manual and completion.
# DESTDIR, where it is set, goes in front of everything that is written; nothing that is installed
# names it. Ends with one line and status 1 where the place cannot be written to. Root, installing to
# the system itself, also has the dynamic linker find the library.
set -euo pipefail

fail() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}

[[ $# -ge 2 && -n $2 ]] || fail 'usage: install_library.sh BUILD_DIR PREFIX [COMPONENT...]'
build=$1
prefix=$(realpath -m -- "$2")
components=("${@:3}")
[[ ${#components[@]} -gt 0 ]] || components=(c)
export DESTDIR=${DESTDIR:+$(realpath -m -- "$DESTDIR")}

# The first folder on the way that exists is the one that has to be writable.
place=$DESTDIR$prefix
while [[ ! -e $place ]]; do
  place=$(dirname -- "$place")
done
[[ -d $place && -w $place ]] || fail "cannot write to $place: \
install as root, or elsewhere with prefix=FOLDER or DESTDIR=FOLDER"

umask 022  # everybody's to read, whoever installs
for component in "${components[@]}"; do
  cmake --install "$build" --prefix "$prefix" --component "$component"
done

if [[ -z $DESTDIR && $EUID -eq 0 ]]; then
  PATH=$PATH:/usr/sbin:/sbin ldconfig ||
    printf 'install: ldconfig failed; programs may need LD_LIBRARY_PATH\n' >&2
fi
