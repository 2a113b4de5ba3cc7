// Compiled topologies (.tplg): what is accepted keeps the loader's promises, and its pipelines can
// be set up, played and ended on a platform, with nothing left behind; or are refused.
// Planted: refusals that do not name the file.
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/session.hpp"
#include "testbench/topology/topology.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::fuzz {
namespace {

using namespace testbench;

constexpr const char* kName = "input.tplg";
constexpr std::uint64_t kPeriods = 3;
// What more of them finds, fewer do; simulated SRAM is mapped page by page.
constexpr std::size_t kMostNodes = 40;

void play(System& system, Session& session, const StreamGraph& graph) {
  for (std::uint64_t period = 0; period < kPeriods; ++period) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].endpoint == Endpoint::source && session.runs(i)) {
        FilePort& port = *session.file_port(i);
        port.frames = session.frames_wanted(i, period);
        std::memset(port.data, 0x11, port.frames * port.format.frame_bytes());
      }
    }
    session.run_period(period);
  }
  require(system.memory().audio_path_calls() == 0, "an allocation on the audio path");
}

void set_up_and_play(const Topology& topology, const StreamGraph& graph) {
  System system(find_platform("mtl"), kElasticPolicy);
  accepts(kName, [&] {
    Session session(system, topology, graph);
    try {
      session.set_up();
      play(system, session, graph);
    } catch (const OutOfMemory& error) {
      require(error.what()[0] != '\0', "memory ran out for nobody");
      require(system.first_failure().has_value(), "memory ran out without a failure");
    }
    require(system.memory().check(CheckDepth::deep), "an invariant is broken");
    session.tear_down();
  });
  require(system.mapped_bytes() == system.boot_mapped_bytes(), "frames are left");
  require(system.memory().system().tree == 0, "bytes are left");
  system.shut_down();
  require(system.leaks().empty(), "something leaked");
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  std::optional<modmem::testbench::Topology> topology;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (!accepts(kName, [&] { topology = modmem::testbench::parse_topology(bytes, kName); })) {
    return 0;
  }
  require(modmem::testbench::check_topology(*topology).empty(),
          "a promise of the loader is broken");
  modmem::testbench::StreamGraph graph;
  const modmem::testbench::StreamFormat format{48000, 2, modmem::testbench::SampleFormat::s16};
  if (accepts(kName, [&] { graph = modmem::testbench::build_graph(*topology, {}, format); }) &&
      graph.nodes.size() <= kMostNodes) {
    set_up_and_play(*topology, graph);
  }
  return 0;
}
