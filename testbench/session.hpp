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
// wanted. What is missing is admitted as a whole before the first module of it exists, as far as it
// is known (NeedsBook), and set up in a Transaction: where memory runs out, the stream keeps its
// state, and all is as it was where the operation began. What was admitted and not used is
// returned. An owner is destroyed after those below it, so that nothing is left to be called a leak
// but leaks.
//
// Each pipeline runs on its core: what its modules do, from creation to the last period, is done by
// that core's thread; deleting is done by the caller, as core 0. Within a period, the modules of a
// core run first and its tasks after them, cores side by side; decoupled edges keep the audio
// independent of how they interleave (stream_flow.hpp). There are threads only where pipelines are
// on other cores than 0.
//
// Where the system has a fence, each module and each buffer is in a domain of its own: a module
// reaches what it took, writes the buffers behind it, and reads those before it. The pipeline of
// one that reaches for anything else is ended, at the latest after the period; the others go on.
//
// Cost: an operation O(nodes + edges), besides what the modules do; a period O(what runs).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "memory/transaction.hpp"
#include "testbench/admission.hpp"
#include "testbench/component.hpp"
#include "testbench/core_threads.hpp"
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
  std::uint64_t bank_us = 0;  // see HeapReport
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
};

struct ModuleReport {
  std::uint32_t id = 0;
  std::string uuid;
  std::string name;
  std::uint32_t pipeline = 0;  // its id
  bool placeholder = false;
  std::optional<std::uint32_t> declared_heap_bytes;  // by a task
  std::size_t live_bytes = 0;
  std::size_t peak_live_bytes = 0;
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
  std::string loaded_from;  // a shared object; empty where it was not loaded
  ProcessErrors errors;
};

class Session {
 public:
  // `topology`, `graph` and `loaded`, the modules that come before those that the testbench
  // implements, must outlive it, and `stand_ins`, where there are any: those that come before all.
  // Takes nothing yet. Throws InputError where a pipeline is on a core that the platform has not.
  Session(System& system, const Topology& topology, const StreamGraph& graph,
          const LoadedModules& loaded = no_loaded_modules(), const StandIns* stand_ins = nullptr);
  ~Session() { tear_down(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const StreamGraph& graph() const { return graph_; }

  // One for each node that is an endpoint, by node index; nullptr for the others. Valid from the
  // start: the caller fills sources' before a period and empties sinks' after it.
  FilePort* file_port(std::size_t node) { return file_ports_[node]; }
  // Whether the module of `node` is prepared, and whether it runs.
  bool prepared(std::size_t node) const { return components_[node].prepared(); }
  bool runs(std::size_t node) const;
  // Whether nothing runs.
  bool idle() const;
  // What a source that runs wants to find in its port before period number `period`.
  std::size_t frames_wanted(std::size_t node, std::uint64_t period);

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

  // --- what a driver tells modules ---

  // Gives a control of the node's widget new values: to its module now, if that exists, and each
  // time it is created. Throws InputError, which names both, where the module takes no such values,
  // and OutOfMemory where it needs more memory than there is; nothing is changed then. `control`
  // must be of the graph's topology.
  void set_control(std::size_t node, const Control& control, std::vector<std::int64_t> values);
  // The same for a blob of configuration, without the header that a topology has before it.
  void set_blob(std::size_t node, const Control& control, std::vector<std::byte> blob);
  // Starts what waits for it in the node's module. False where the node does not run, or nothing
  // waits.
  bool trigger(std::size_t node);

  // --- at work ---

  // One period. No allocation: counted by Memory where one happens all the same.
  void run_period(std::uint64_t period);

  // Components that did not get all frames of a period from their inputs, since set_up(), or since
  // the session was made.
  std::uint64_t xruns() const;

  // Of those that exist or, since set_up() or since the session was made, existed: what is live is
  // that of now, the rest of all their lives.
  std::vector<PipelineReport> pipelines() const;
  std::vector<ModuleReport> modules() const;

 private:
  // States by index into Topology::pipelines.
  using States = std::vector<PlayState>;

  // What a core does in a period, in this order, and what it counts. On a line of its own, as each
  // is written to by its core.
  struct alignas(64) CorePlan {
    std::uint32_t core = 0;
    std::vector<Component*> modules;  // in processing order
    std::vector<Component*> tasks;    // likewise
    std::vector<PipelineInstance*> pipelines;
    std::vector<StreamBuffer*> queues;  // that both ends of are here
    std::vector<std::size_t> sources;   // nodes whose ports are to be filled
    std::uint64_t xruns = 0;
  };

  // What a source wants to find in its port before a period: known from the period before, as only
  // its own core can ask its module.
  struct Wish {
    std::uint64_t period = UINT64_MAX;  // none
    std::size_t frames = 0;
  };

  // What was set last.
  struct Setting {
    std::size_t node = 0;
    const Control* control = nullptr;
    std::vector<std::int64_t> values;
    std::vector<std::byte> blob;  // in place of values, where there are none
  };

  PipelineReport report_of(std::size_t pipeline) const;
  ModuleReport report_of(const Component& component) const;
  void reset_component(std::size_t node);
  void end_component(std::size_t node);
  void close_buffer(std::size_t edge);
  void end_pipeline(std::size_t pipeline);

  void set(Setting setting);
  void apply(const Setting& setting);
  CorePlan& plan_of(std::uint32_t core);
  void plan_cores();
  void make_ports();
  States wanted() const;
  void lower(std::size_t stream, PlayState state);
  void raise(const States& wanted, bool keeps_half);
  void set_up_missing(Transaction& setup, const States& wanted);
  void set_up_part(const Part& part, std::uint32_t core, const std::function<void()>& step);
  std::vector<NeededBlock> declared(const Part& part) const;
  std::vector<Part> missing_parts(const States& wanted) const;
  void admit(Transaction& setup, const States& wanted);
  void return_unused();
  bool grant(std::size_t buffer);
  void on_core(std::uint32_t core, const std::function<void()>& step) const;
  void prepare(std::size_t node);
  void trim(const States& wanted);
  void remove_strays();
  void note_states(const States& wanted, PlayState most = PlayState::running);
  void run_what_is_wanted(const States& wanted);
  void run_core(CorePlan& plan, std::uint64_t period);
  [[noreturn]] void refuse(std::size_t stream, const char* reason) const;

  System& system_;
  const Topology& topology_;
  const StreamGraph& graph_;
  const LoadedModules& loaded_;
  const StandIns* stand_ins_;
  std::vector<PcmStream> streams_;
  std::vector<PlayState> states_;            // of the streams
  States noted_;                             // of the pipelines, as the trace has them
  PlayState all_ = PlayState::absent;        // of the graph as a whole
  std::vector<PipelineInstance> pipelines_;  // by index into Topology::pipelines
  std::vector<Component> components_;        // by node
  std::deque<StreamBuffer> buffers_;         // by edge
  std::vector<FilePort*> file_ports_;        // by node
  std::deque<FilePort> ports_;
  std::deque<std::vector<std::byte>> port_data_;          // of ports_
  std::vector<Setting> settings_;                         // one for each control that was set
  std::vector<bool> runs_;                                // by node
  std::vector<bool> removed_;                             // pipelines, by index
  std::vector<Wish> wishes_;                              // by node
  std::vector<CorePlan> plans_;                           // one for each core in use, by core
  std::vector<std::uint32_t> busy_;                       // cores that have something to run
  std::vector<StreamBuffer*> queues_;                     // the live ones between cores
  std::map<std::size_t, PipelineReport> past_pipelines_;  // ended lives, by pipeline
  std::map<std::size_t, ModuleReport> past_modules_;      // likewise, by node
  std::vector<Owner*> admitted_;                          // by the set-up that is under way
  mutable std::optional<CoreThreads> threads_;            // where cores other than 0 are in use
};

}  // namespace modmem::testbench
