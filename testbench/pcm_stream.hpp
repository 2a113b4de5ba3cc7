// PcmStream: what of a graph one direction of one PCM uses.
//
// A stream's nodes lie on a path between its host copier and a DAI copier: from the host to DAIs
// for playback, from DAIs to the host for capture. Where no path reaches a DAI, they are those that
// hear the host copier, or that it hears. Its pipelines are those of its nodes: streams share a
// mixer by sharing its pipeline.
//
// Cost: O(PCMs x (nodes + edges)).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

struct PcmStream {
  std::string pcm;  // its name in the topology
  Direction direction = Direction::playback;
  std::size_t host = 0;                // its host copier, a node
  std::vector<std::size_t> nodes;      // ascending, so in processing order; the host among them
  std::vector<std::size_t> pipelines;  // into Topology::pipelines, ascending, each once
};

// "Music playback", for messages.
std::string to_string(const PcmStream& stream);

// The streams whose host copiers are in `graph`, in the order of the topology's PCMs, playback
// first.
std::vector<PcmStream> find_streams(const Topology& topology, const StreamGraph& graph);

}  // namespace modmem::testbench
