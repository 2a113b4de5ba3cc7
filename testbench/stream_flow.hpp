// How audio flows along the edges of a graph.
//
// Modules of one core that run every period do so one after the other, sources first: what a source
// writes its sink reads in the same period, and the buffer between them holds no more than that.
// Where the ends run on two cores, or one is a task, nobody can tell which is first. Such an edge
// is *decoupled*: a queue in which what was written in one period can be read from the next on,
// whichever threads ran when, so that the audio does not depend on that. So that the sink finds
// its frames from the first period on, the queue starts with silence. Per edge, with w the most
// frames of a period, c the source's chunk and r the sink's (w each where it has none):
//
//   silence = w                    where the source writes every period
//           = w + c - gcd(c, w)    where it is a task of larger chunks, at a whole number of kHz
//           = w + c - 1            at other rates, or where the task changes the rate
//   room for silence + r + w frames
//
// The first is what the source lacks as it is heard a period late, the rest what a task may lack
// besides as it waits for a chunk. What a task needs is there in time for the same reason, so it
// may stand anywhere.
#pragma once

#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

// Settles, of every edge, what depends on where its ends run: all members from `room` on. Expects
// obs and ibs in `source_chunk` and `sink_chunk`, in frames, 0 where there is none. O(edges).
void settle_flow(StreamGraph& graph);

}  // namespace modmem::testbench
