// What is known of a module before it exists, and what its memory may follow from: the formats that
// its streams have in a graph, and what the topology says of its widget.
//
//   in_channels, out_channels          of the first input and the first output (streams and files)
//   in_rate, out_rate                  in Hz
//   in_frame_bytes, out_frame_bytes    all channels of one sample
//   in_period_bytes, out_period_bytes  of 1 ms, the longest where these differ
//   inputs, outputs                    how many there are
//   endpoint_bytes                     of a host or DAI copier: a period as the hardware moves it;
//   the
//                                      ibs or obs that is declared for it where that is more; else
//                                      0
//   endpoint_formats                   of those: formats that are declared on that side; else 0
//   deep_buffer_ms                     how deep a host copier's DMA buffer is, 0 where it is not
//   blob_bytes                         configuration in the topology, without its header; else 0
//   name_bytes                         length of the widget's name
//   heap_bytes                         that the topology says it needs, 0 where it says nothing
//
// Besides, numbers inside of the configuration, which a footprint names (Parameter). Cost:
// O(formats) for a module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "testbench/plan/formula.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

// A number in a module's configuration: little-endian, of `bytes` bytes at `offset` behind the
// header, in units of `unit`, to the nearest. Where the configuration is too short for it, it is 0.
struct Parameter {
  std::string name;
  std::size_t offset = 0;
  std::size_t bytes = 4;  // 1, 2 or 4
  std::int64_t unit = 1;
  bool operator==(const Parameter&) const = default;
};

// The names above, in the order in which they are to explain something.
std::span<const std::string_view> fact_names();

// All that is known of the module of `node`.
Facts facts_of(const StreamGraph& graph, const StreamNode& node,
               const std::vector<Parameter>& parameters);

}  // namespace modmem::testbench
