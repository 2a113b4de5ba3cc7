#!/usr/bin/env bash
# Installs the Debian packages of the given groups of packages.txt that are missing.
#
#   scripts/install_packages.sh GROUP...
#
# Where none is missing it does nothing: no network, no privileges. Else it runs apt-get, through
# sudo where it is not root, and where that cannot be done it says which packages are missing.
# MODMEM_SKIP_PACKAGES=1 skips it all, for systems that get the same tools in another way.
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/../packages.txt

fail() {
  printf 'install_packages: %s\n' "$*" >&2
  exit 1
}

# Prints the packages of group $1, one a line.
packages_of() {
  local line group='' found=false
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%%#*}
    read -r line <<<"$line" || true
    if [[ $line == '['*']' ]]; then
      group=${line:1:-1}
      [[ $group != "$1" ]] || found=true
    elif [[ -n $line && $group == "$1" ]]; then
      printf '%s\n' "$line"
    fi
  done <"$list"
  $found || fail "packages.txt has no group $1"
}

is_installed() {
  dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

[[ $# -gt 0 ]] || fail 'usage: install_packages.sh GROUP...'
[[ ${MODMEM_SKIP_PACKAGES:-} != 1 ]] || exit 0

missing=()
for group in "$@"; do
  names=$(packages_of "$group")
  for package in $names; do
    is_installed "$package" || missing+=("$package")
  done
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

cannot="these Debian packages are missing: ${missing[*]}
Install them as root (apt-get install ${missing[*]}) and try again;
or set MODMEM_SKIP_PACKAGES=1 where the same tools come in another way."

command -v apt-get >/dev/null || fail "there is no apt-get here, and $cannot"
as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null || fail "not root, no sudo, and $cannot"
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

printf 'Installing %s\n' "${missing[*]}"
# One source that cannot be reached need not be the one that has the packages.
apt update || printf 'install_packages: apt-get update failed; trying without\n' >&2
apt install --yes --no-install-recommends "${missing[@]}" || fail "apt-get failed, and $cannot"
