#!/usr/bin/env bash
# The page of `modmem report`, tools/report_page.html, from its sources in web/.
#
#   report_page.sh build             builds it
#   report_page.sh check MODMEM      shows that it is what its sources build, and tests a report of
#                                    the program MODMEM in Chromium; SCREENSHOTS=DIR keeps pictures
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
page=$root/tools/report_page.html

fail() {
  printf 'report_page: %s\n' "$*" >&2
  exit 1
}

build() {
  # Where packages come from is npm's business, not the sources'.
  ! grep -q '"resolved"' "$root/web/package-lock.json" ||
    fail 'web/package-lock.json names where packages came from; make it with omit-lockfile-registry-resolved'
  (cd "$root/web" && npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build)
}

case ${1:-} in
  build)
    build
    cp "$root/web/dist/index.html" "$page"
    ;;
  check)
    modmem=$(realpath "${2:?usage: report_page.sh check MODMEM}")
    build
    cmp "$root/web/dist/index.html" "$page" ||
      fail 'tools/report_page.html is not what web/ builds: make report-page'
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    bash "$root/web/test/make_page.sh" "$modmem" "$work/report.html"
    (cd "$root/web" && node test/page_test.mjs "$work/report.html" \
      ${SCREENSHOTS:+--screenshots "$SCREENSHOTS"})
    ;;
  *)
    fail 'usage: report_page.sh build | check MODMEM'
    ;;
esac
