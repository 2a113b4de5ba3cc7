// Session: pipelines at work, from creation to deletion, in the steps in which firmware takes them.
//
//   raise   create pipelines, create modules, bind (buffers), set formats and prepare
//   run     every module once a period of 1 ms, sources before sinks
//   trim    reset, unbind, delete modules and pipelines
//
// Either all chosen pipelines live together (set_up() to tear_down()), or streams come and go while
// others play. Each stream has a state, and a pipeline's state is the furthest that one of its
// streams has come:
//
//   state(pipeline) = max over the streams that use it of state(stream)
//   an edge is bound iff both of its ends exist, and live iff both run
//
// An operation changes the state of one stream, raises what is missing, and trims what is no longer
// wanted. Where raising runs out of memory, the stream keeps its state and trimming leads back to
// where the operation began. An owner is destroyed after those below it, so that nothing is left to
// be called a leak but leaks.
//
// Cost: an operation O(nodes + edges), besides what the modules do; a period O(what runs).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "testbench/component.hpp"
#include "testbench/pcm_stream.hpp"
#include "testbench/pipeline_instance.hpp"
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

  const StreamGraph& graph() const { return graph_; }

  // One for each node that is an endpoint, by node index; nullptr for the others. Valid from the
  // start: the caller fills sources' before a period and empties sinks' after it.
  FilePort* file_port(std::size_t node) { return file_ports_[node]; }
  // Whether `node` runs, and what it wants to find in its port, a source's, before period number
  // `period`.
  bool runs(std::size_t node) const;
  std::size_t frames_wanted(std::size_t node, std::uint64_t period) const;

  // --- everything at once ---

  // Runs all pipelines of the graph. Throws OutOfMemory, which names the component, where memory
  // ran out, and InputError, which names the topology and the widget, where a widget's
  // configuration makes no sense; what is set up by then stays, to be looked at, until tear_down().
  // Requires that nothing is set up.
  void set_up();

  // Ends everything, streams too.
  void tear_down();

  // --- streams ---

  const std::vector<PcmStream>& streams() const { return streams_; }
  PlayState state(std::size_t stream) const { return states_[stream]; }

  // Each throws InputError, with nothing changed, where the stream's state does not allow it.

  // Runs a stream that is not running, from wherever it is. Throws as set_up() does, but then all
  // is as it was before the call.
  void start(std::size_t stream);
  // Stops the processing of a running stream; its memory stays.
  void pause(std::size_t stream);
  // Has the modules of a stream that runs or is paused give back what they took for its formats.
  void reset(std::size_t stream);
  // Deletes what no other stream needs of a stream that is not absent.
  void stop(std::size_t stream);

  // --- at work ---

  // One period. No allocation: counted by Memory where one happens all the same.
  void run_period(std::uint64_t period);

  // Components that did not get all frames of a period from their inputs, since set_up(), or since
  // the session was made.
  std::uint64_t xruns() const { return xruns_; }

  // Of those that exist.
  std::vector<PipelineReport> pipelines() const;
  std::vector<ModuleReport> modules() const;

 private:
  // States by index into Topology::pipelines.
  using States = std::vector<PlayState>;

  States wanted() const;
  void lower(std::size_t stream, PlayState state);
  void raise(const States& wanted);
  void prepare(std::size_t node);
  void trim(const States& wanted);
  void run_what_is_wanted(const States& wanted);
  [[noreturn]] void refuse(std::size_t stream, const char* reason) const;

  System& system_;
  const Topology& topology_;
  const StreamGraph& graph_;
  std::vector<PcmStream> streams_;
  std::vector<PlayState> states_;            // of the streams
  PlayState all_ = PlayState::absent;        // of the graph as a whole
  std::vector<PipelineInstance> pipelines_;  // by index into Topology::pipelines
  std::vector<Component> components_;        // by node
  std::deque<StreamBuffer> buffers_;         // by edge
  std::vector<FilePort*> file_ports_;        // by node
  std::deque<FilePort> ports_;
  std::deque<std::vector<std::byte>> port_data_;  // of ports_
  std::vector<bool> runs_;                        // by node
  std::vector<Component*> running_;               // in processing order
  std::vector<PipelineInstance*> running_pipelines_;
  std::uint64_t xruns_ = 0;
};

}  // namespace modmem::testbench
