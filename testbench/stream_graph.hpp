// StreamGraph: what of a topology is to run, in which order, and in which formats.
//
// Nodes are the modules of the chosen pipelines, in an order in which every module comes after
// those it hears; edges are the buffers between them. The formats are picked as a driver picks them
// when a stream opens: sources take, of the formats they list, the one nearest to the audio file's;
// every other module takes the one that its first input delivers, and the output format that fits
// it. Nearest is the same rate before the same channels before the same samples, and wider samples
// before narrower ones, which would lose something.
//
// A module runs on its pipeline's core, every period, or as a *task* of its own behind those that
// do, where the topology puts it into the data-processing domain: when as much has come in as it
// takes at a time (ibs), and then it puts out as much at a time (obs). See stream_flow.hpp for what
// follows for the edges.
//
// Invariants: edges refer to nodes by index; an edge's source stands before its sink in `nodes`,
// but for routes that form a ring; ids of nodes and edges are unique.
// Cost: O((modules + routes) log modules).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "testbench/stream_format.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

// What a node is to the world outside.
enum class Endpoint : std::uint8_t {
  none,
  source,  // reads the input file: a playback host copier, a capture DAI copier
  sink,    // feeds an output file: a playback DAI copier, a capture host copier
};

struct StreamEdge {
  std::size_t source = 0;  // nodes
  std::size_t sink = 0;
  std::uint32_t source_pin = 0;  // the pin that is bound to the other end, else the next free
  std::uint32_t sink_pin = 0;
  std::uint32_t id = 0;   // pipeline id of the source << 16 | 0x8000 | number in the pipeline
  StreamFormat format;    // what the source writes
  std::size_t bytes = 0;  // of the buffer: twice the larger of obs and ibs, a whole period at least
  std::size_t room = 0;   // frames at a time that fit it and, at its rate, all buffers behind it
  // What a task at this end puts in or takes out at a time, in frames; 0: what the rate gives.
  std::size_t source_chunk = 0;
  std::size_t sink_chunk = 0;
  bool between_cores = false;
  bool decoupled = false;   // what goes in comes out in a later period
  std::size_t silence = 0;  // frames that a decoupled edge starts with
  std::string name;         // "source > sink"
};

struct StreamNode {
  const Widget* widget = nullptr;
  std::size_t pipeline = 0;        // into Topology::pipelines
  std::uint32_t component_id = 0;  // pipeline id << 16 | index in the pipeline
  std::uint32_t core = 0;
  bool task = false;  // in the data-processing domain
  Endpoint endpoint = Endpoint::none;
  std::vector<std::size_t> inputs;   // edges, in the order of the input pins
  std::vector<std::size_t> outputs;  // edges, in the order of the output pins
  StreamFormat file_format;          // of an endpoint: what it reads from or gives to its file
};

struct StreamGraph {
  std::vector<std::size_t> pipelines;  // chosen ones, into Topology::pipelines, in their order
  std::vector<StreamNode> nodes;
  std::vector<StreamEdge> edges;
};

// Frames of a stream of `rate` in period number `period` (of 1 ms): 44.1 kHz alternates.
constexpr std::size_t frames_in_period(std::uint32_t rate, std::uint64_t period) {
  return static_cast<std::size_t>((period + 1) * rate / 1000 - period * rate / 1000);
}
constexpr std::size_t most_frames_in_period(std::uint32_t rate) { return (rate + 999) / 1000; }

// The graph of the pipelines whose ids are `pipeline_ids` (empty: all) and of all that they are
// connected to. `file` is the audio file's format; `topology` must outlive the graph. Throws
// InputError where an id is unknown or too large for component ids, a format can't be handled, or
// nothing is left to run.
StreamGraph build_graph(const Topology& topology, const std::vector<std::uint32_t>& pipeline_ids,
                        const StreamFormat& file);

}  // namespace modmem::testbench
