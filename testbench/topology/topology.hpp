// A compiled ALSA topology (.tplg): the modules, pipelines, routes and PCMs that firmware is to set
// up.
//
// The loader takes ABI 5 as `alsatplg` writes it, with the vendor tuples of Sound Open Firmware's
// IPC4 decoded. Files of other drivers load too, with their tuples kept as they are and without
// modules or pipelines. A file is taken whole or refused: whatever does not fit (sizes, counts,
// strings without an end, limits, ambiguous names) throws InputError.
//
// Invariants of a loaded topology, which code that uses it may rely on:
//   - every index (Widget::pipeline, Pipeline::widgets, Route::source ...) is in range;
//   - widget names are unique and not empty; pipeline ids are unique;
//   - names are printable ASCII, so any of them can stand in a one-line message or in JSON;
//   - pin formats keep to the limits in pin_format.hpp;
//   - the element counts of the manifest, if there is one, are those of the file (controls: at most
//     those of the file).
// Cost: linear in the file, but for name lookups, which are logarithmic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/topology/control.hpp"
#include "testbench/topology/stream.hpp"
#include "testbench/topology/widget.hpp"

namespace modmem::testbench {

// The largest file that is loaded; production files have a hundredth of it.
inline constexpr std::size_t kMaxTopologyBytes = 16u << 20;

// How many elements of each kind the compiler wrote.
struct Manifest {
  std::uint32_t controls = 0;
  std::uint32_t widgets = 0;
  std::uint32_t routes = 0;
  std::uint32_t pcms = 0;
  std::uint32_t links = 0;
  std::uint32_t dais = 0;
  std::vector<std::byte> private_data;

  bool operator==(const Manifest&) const = default;
};

// A connection from an output of `source_name` to an input of `sink_name`.
struct Route {
  std::string source_name;
  std::string control;
  std::string sink_name;
  std::uint32_t group = 0;  // of its block; 0 for routes between pipelines
  // Into Topology::widgets. Empty where the file has no such widget: a codec's, or a leftover.
  std::optional<std::size_t> source;
  std::optional<std::size_t> sink;
};

struct Pipeline {
  std::uint32_t id = 0;  // its scheduler's group
  std::string name;      // its scheduler's name
  std::size_t scheduler = 0;
  std::vector<std::size_t> widgets;  // its modules, into Topology::widgets, in file order
  std::uint32_t period_us = 1000;    // 1000 where the file says nothing
  std::uint32_t priority = 0;
  std::uint32_t mips = 0;
  std::uint32_t core = 0;
  std::optional<std::uint32_t> time_domain;  // 0 DMA, 1 timer
  bool dynamic = false;                      // created when a stream opens
  bool low_power = false;
  // Host and link DMA are chained by hardware: firmware creates no modules for this pipeline.
  bool chain_dma = false;
  std::optional<Direction> direction;
};

struct Topology {
  std::string name;
  std::uint32_t abi = 0;
  std::uint32_t vendor_version = 0;
  std::optional<Manifest> manifest;
  std::vector<Widget> widgets;      // in file order
  std::vector<Route> routes;        // in file order
  std::vector<Pcm> pcms;            // in file order
  std::vector<BackendLink> links;   // in file order
  std::vector<Control> controls;    // those that belong to no widget
  std::vector<Pipeline> pipelines;  // in the order of their schedulers
  std::size_t skipped_blocks = 0;   // physical DAIs, platform and vendor data: not read
};

// The topology in the file `path`. Throws InputError, which names the path, where the file cannot
// be read, is longer than kMaxTopologyBytes, or is refused by parse_topology.
Topology load_topology(const std::filesystem::path& path);

// The topology that `bytes` are; `name` stands for them in Topology::name and in errors. Throws
// InputError("<name>: offset <offset>: <where>: <reason>") where they are not one.
Topology parse_topology(std::span<const std::byte> bytes, std::string_view name);

// The widget called `name`, or null. Linear.
const Widget* find_widget(const Topology& topology, std::string_view name);

// The pipeline `id`, or null. Linear.
const Pipeline* find_pipeline(const Topology& topology, std::uint32_t id);

}  // namespace modmem::testbench
