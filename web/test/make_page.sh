#!/usr/bin/env bash
# Makes the page that page_test.mjs looks at: a day of the example traces under several policies,
# one of which fails, a small trace with names that are hard to show, one of no events, a recorded
# call, and the same of which a packet is lost and the end is cut off.
#
#   make_page.sh MODMEM PAGE.html
set -euo pipefail
modmem=$1
page=$2
examples=$(dirname "${BASH_SOURCE[0]}")/../../examples
topologies=$(dirname "$modmem")/examples/topologies
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$modmem" compose "$examples"/traces/*.csv --streams 12 --events 2000 --seed 1 --load busy -o "$work/day.csv"
cat >"$work/names.csv" <<'END'
time_us,op,id,bytes,alignment,flags,caller,owner
10,rmalloc,1,100,0,0,</script><script>alert(1)</script>,</script><script>alert(1)</script>
20,rmalloc,2,9000,0,0,decoder.cpp:12,"""quoted"" & <b>bold</b>"
30,rballoc,3,20000,0,0,buffer.cpp:7,"""quoted"" & <b>bold</b>"
40,rmalloc,4,64,0,0,"a very long name of a call site that goes on and on and on and never quite seems to end at all.cpp:1",music
50,free,2,,,,,
55,rmalloc,5,48,0,0,"""a"" & b&amp;",
60,release,,,,,,music
END
head -n 1 "$work/names.csv" >"$work/empty.csv"
"$modmem" run "$topologies/desk.tplg" --script "$examples/scripts/call.script" --trace "$work/call" >/dev/null
cp -r "$work/call" "$work/damaged"
packet=$((80 + 65536)) # header and content of a full one
{
  head -c "$packet" "$work/call/core-0"
  tail -c "+$((2 * packet + 1))" "$work/call/core-0" | head -c -100
} >"$work/damaged/core-0"
"$modmem" report "$work/day.csv" "$work/names.csv" "$work/empty.csv" "$work/call" "$work/damaged" \
  --policy elastic,single,slots -o "$page" || [[ $? == 2 ]]
