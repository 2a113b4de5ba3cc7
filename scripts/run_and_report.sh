#!/usr/bin/env bash
# Plays a topology, and writes the page that shows where its memory went, over time.
#
#   run_and_report.sh MODMEM FOLDER [ARGUMENT OF `modmem run`...]
#
# The page is FOLDER/report.html, of the run's platform, under its policy and under `single`. The
# exit status is that of `modmem run`.
set -euo pipefail
modmem=$1
folder=$2
shift 2

# Where the run is recorded to a file already, that file it is.
trace=$folder/run.csv
record=(--record-trace "$trace")
previous=''
for argument in "$@"; do
  case $argument in
    --record-trace=*) trace=${argument#*=} record=() ;;
    -h | --help) exec "$modmem" run "$@" ;;
  esac
  [[ $previous != --record-trace ]] || trace=$argument record=()
  previous=$argument
done

said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
"$modmem" run "$@" "${record[@]}" | tee -i "$said" || status=${PIPESTATUS[0]}
# Bad arguments: nothing was run.
[[ $status -lt 2 ]] || exit "$status"

# "NAME on PLATFORM, policy POLICY, ...", or JSON.
field() {
  sed -nE "1,/policy/{s/.* on ([^ ,]+), policy ([^ ,]+).*/\\$2/p;s/^ *\"$1\": \"([^\"]+)\".*/\\1/p}" "$said" | head -n 1
}
platform=$(field platform 1)
policy=$(field policy 2)
policies=$policy
[[ $policy == single ]] || policies+=,single
"$modmem" report "$trace" --platform "$platform" --policy "$policies" -o "$folder/report.html"
printf '\nWhere the memory went, as a page to look at: %s\n' "$folder/report.html" >&2
exit "$status"
