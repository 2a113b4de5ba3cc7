#!/usr/bin/env bash
# Runs the tests of a build that counts lines, prints a summary, and writes BUILD_FOLDER/index.html.
#
#   scripts/coverage.sh BUILD_FOLDER [CTEST_ARGUMENT...]
#
# Counts from earlier runs are dropped first. Code for tests is not counted. Where a test fails, the
# report is still made, and the exit status is the tests'.
set -euo pipefail

build=$1
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
find "$build" -name '*.gcda' -delete
# Counting makes every operation slower, and ten million more reach no other line.
export MODMEM_RANDOM_OPERATIONS=${MODMEM_RANDOM_OPERATIONS:-1000000}
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@" ||
  status=$?
gcovr --root . --object-directory "$build" -j "$(nproc)" \
  --exclude '.*_test\.cpp' --exclude '.*_testing\.hpp' --exclude '.*/testing/.*' \
  --exclude "$build/.*" \
  --exclude-unreachable-branches --exclude-throw-branches \
  --html-details "$build/index.html" --print-summary
printf 'Line by line: %s\n' "$build/index.html"
exit $status
