#!/bin/sh
# Records the traces in this folder anew: record.sh PROGRAM, with the example topologies beside it.
set -eu
program=$1
topologies=$(dirname "$program")/examples/topologies
here=$(dirname "$0")
script=$(mktemp)
trap 'rm -f "$script"' EXIT

# record NAME TOPOLOGY ARGUMENTS...: one run of these arguments.
record() {
  name=$1 topology=$2
  shift 2
  "$program" run "$topologies/$topology.tplg" "$@" --record-trace "$here/$name.csv" >/dev/null
}

# stream NAME TOPOLOGY PCM DIRECTION [PCM DIRECTION]: one stream, or two that come and go together.
stream() {
  name=$1 topology=$2
  shift 2
  : >"$script"
  for command in start "wait 50" stop; do
    case $command in
      wait*) echo "$command" >>"$script" ;;
      *) echo "$command $1 $2" >>"$script"
         if [ $# -eq 4 ]; then echo "$command $3 $4" >>"$script"; fi ;;
    esac
  done
  record "$name" "$topology" --script "$script"
}

record passthrough passthrough --seconds 0.05
record mixer playback-mixer --seconds 0.05
record capture capture --seconds 0.05
stream desk-music desk Music playback
stream desk-notifications desk Notifications playback
stream desk-music-notifications desk Music playback Notifications playback
stream desk-call desk Call playback Call capture
stream desk-call-playback desk Call playback
stream desk-call-capture desk Call capture
stream desk-call2 desk '"Call 2"' playback '"Call 2"' capture
stream desk-microphone desk Microphone capture
stream desk-microphone-music desk Microphone capture Music playback
