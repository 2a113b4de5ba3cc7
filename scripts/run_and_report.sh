#!/usr/bin/env bash
# Plays a topology, and writes the page that shows where its memory went, over time.
#
#   run_and_report.sh MODMEM FOLDER [ARGUMENT OF `modmem run`...]
#
# The page is FOLDER/report.html, of the trace FOLDER/trace or, where one is asked for, of that:
# under the run's policy and under `single`. The exit status is that of `modmem run`.
set -euo pipefail
modmem=$1
folder=$2
shift 2

trace=$folder/trace
record=(--trace "$trace")
previous=''
for argument in "$@"; do
  case $argument in
    --trace=*) trace=${argument#*=} record=() ;;
    -h | --help) exec "$modmem" run "$@" ;;
  esac
  [[ $previous != --trace ]] || trace=$argument record=()
  previous=$argument
done
# That of the run before.
[[ ${#record[@]} == 0 ]] || rm -rf "$folder/trace"

status=0
"$modmem" run "$@" "${record[@]}" || status=$?
# Bad arguments, or a signal: there is no run to look at.
[[ $status -lt 2 ]] || exit "$status"

policy=$(sed -nE 's/^ *policy = "([^"]*)";$/\1/p' "$trace/metadata")
[[ $policy == single ]] || policy+=,single
"$modmem" report "$trace" --policy "$policy" -o "$folder/report.html"
printf '\nWhere the memory went, as a page to look at: %s\n' "$folder/report.html" >&2
exit "$status"
