// Session: the chosen pipelines from creation to deletion, in the steps in which firmware takes
// them.
//
//   set up      create pipelines, create modules, bind (buffers), set formats and prepare
//   run         every module once a period of 1 ms, sources before sinks
//   tear down   reset, unbind, delete modules and pipelines
//
// Every step leaves a state from which tear_down() leads back to where it began, also where it
// failed. An owner is destroyed after those below it, so that nothing is left to be called a leak
// but leaks.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "testbench/component.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

struct PipelineReport {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t core = 0;
  std::size_t live_bytes = 0;  // of the pipeline and all in it
  std::size_t peak_live_bytes = 0;
  std::size_t mapped_bytes = 0;  // of its own heap; 0 where it has none
  std::size_t peak_mapped_bytes = 0;
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
};

struct ModuleReport {
  std::uint32_t id = 0;
  std::string uuid;
  std::string name;
  std::uint32_t pipeline = 0;  // its id
  bool placeholder = false;
  std::size_t live_bytes = 0;
  std::size_t peak_live_bytes = 0;
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
};

class Session {
 public:
  // `topology` and `graph` must outlive it. Takes nothing yet.
  Session(System& system, const Topology& topology, const StreamGraph& graph);
  ~Session() { tear_down(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One for each node that is an endpoint, by node index; nullptr for the others. Valid from the
  // start: the caller fills sources' before a period and empties sinks' after it.
  FilePort* file_port(std::size_t node) { return file_ports_[node]; }

  // Throws OutOfMemory, which names the component, where memory ran out, and InputError, which
  // names the topology and the widget, where a widget's configuration makes no sense. Requires that
  // nothing is set up.
  void set_up();

  // One period. No allocation: counted by Memory where one happens all the same.
  void run_period(std::uint64_t period);

  void tear_down();

  // Components that did not get all frames of a period from their inputs, since set_up().
  std::uint64_t xruns() const { return xruns_; }

  std::vector<PipelineReport> pipelines() const;
  std::vector<ModuleReport> modules() const;

 private:
  // What firmware keeps of a pipeline, in the pipeline's own heap.
  struct PipelineRecord {
    std::uint32_t id = 0;
    std::uint32_t core = 0;
    std::uint32_t priority = 0;
    std::uint32_t period_us = 0;
    std::uint64_t periods = 0;  // run so far
  };
  struct PipelineEntry {
    Owner* owner = nullptr;
    PipelineRecord* record = nullptr;
  };

  void create_pipelines();
  void create_modules();
  void bind();
  void prepare();

  System& system_;
  const Topology& topology_;
  const StreamGraph& graph_;
  std::vector<PipelineEntry> pipelines_;  // by index into Topology::pipelines
  std::deque<Component> components_;      // as many as nodes, or fewer where set_up() failed
  std::deque<StreamBuffer> buffers_;      // as many as edges, or fewer
  std::vector<FilePort*> file_ports_;
  std::deque<FilePort> ports_;
  std::deque<std::vector<std::byte>> port_data_;
  std::uint64_t xruns_ = 0;
};

}  // namespace modmem::testbench
