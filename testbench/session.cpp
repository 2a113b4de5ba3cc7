#include "testbench/session.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "testbench/input_error.hpp"
#include "testbench/out_of_memory.hpp"

namespace modmem::testbench {

namespace {

// Frames of an endpoint's file that a period takes or gives at most, before its module is asked:
// those of its rate, and for a sink whatever its inputs may hold, as they may keep their own pace.
std::size_t port_frames(const StreamGraph& graph, const StreamNode& node) {
  std::size_t frames = most_frames_in_period(node.file_format.rate);
  if (node.endpoint == Endpoint::sink) {
    for (const std::size_t edge : node.inputs) {
      const StreamEdge& in = graph.edges[edge];
      frames = std::max(frames, in.room * node.file_format.rate / in.format.rate + 1);
    }
  }
  // Topologies may declare buffers of gigabytes, which no memory of a chip has.
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  return std::min(frames, kMostBytes / node.file_format.frame_bytes());
}

}  // namespace

Session::Session(System& system, const Topology& topology, const StreamGraph& graph,
                 const LoadedModules& loaded, const StandIns* stand_ins)
    : system_(system),
      topology_(topology),
      graph_(graph),
      loaded_(loaded),
      stand_ins_(stand_ins),
      streams_(find_streams(topology, graph)),
      states_(streams_.size(), PlayState::absent),
      pipelines_(topology.pipelines.size()),
      components_(graph.nodes.size()),
      file_ports_(graph.nodes.size(), nullptr),
      runs_(graph.nodes.size(), false),
      removed_(topology.pipelines.size(), false),
      wishes_(graph.nodes.size()) {
  for (const StreamEdge& edge : graph.edges) {
    buffers_.emplace_back(edge);
  }
  plan_cores();
  make_ports();
}

// A plan for each core that is used, and threads where there must be some.
void Session::plan_cores() {
  const PlatformConfig& platform = system_.memory().config();
  std::set<std::uint32_t> cores{0};
  for (const std::size_t index : graph_.pipelines) {
    const Pipeline& pipeline = topology_.pipelines[index];
    if (pipeline.core >= platform.cores) {
      throw InputError(topology_.name + ": " + pipeline.name + " is on core " +
                       std::to_string(pipeline.core) + ", and platform " + platform.name + " has " +
                       std::to_string(platform.cores));
    }
    cores.insert(pipeline.core);
  }
  for (const std::uint32_t core : cores) {
    plans_.emplace_back().core = core;
  }
  if (cores.size() > 1) {
    threads_.emplace(std::vector<std::uint32_t>(cores.begin(), cores.end()), system_.turns());
  }
}

void Session::make_ports() {
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const StreamNode& node = graph_.nodes[i];
    if (node.endpoint == Endpoint::none) {
      continue;
    }
    const std::size_t frames = port_frames(graph_, node);
    port_data_.emplace_back(frames * node.file_format.frame_bytes());
    ports_.push_back({node.file_format, port_data_.back().data(), frames, 0});
    file_ports_[i] = &ports_.back();
  }
}

bool Session::runs(std::size_t node) const { return runs_[node]; }

bool Session::idle() const { return busy_.empty(); }

std::size_t Session::frames_wanted(std::size_t node, std::uint64_t period) {
  std::size_t frames = wishes_[node].frames;
  if (wishes_[node].period != period) {
    on_core(graph_.nodes[node].core, [&] { frames = components_[node].host_frames(period); });
  }
  return std::min(frames, file_ports_[node]->capacity);
}

// --- operations ---

void Session::set_up() {
  for (CorePlan& plan : plans_) {
    plan.xruns = 0;
  }
  past_pipelines_.clear();
  past_modules_.clear();
  all_ = PlayState::running;
  const States states = wanted();
  raise(states, true);
  run_what_is_wanted(states);
  remove_strays();
}

void Session::tear_down() {
  all_ = PlayState::absent;
  std::fill(states_.begin(), states_.end(), PlayState::absent);
  const States states = wanted();
  run_what_is_wanted(states);
  trim(states);
}

void Session::start(std::size_t stream) {
  if (states_[stream] == PlayState::running) {
    refuse(stream, "it is running already");
  }
  const PlayState before = states_[stream];
  states_[stream] = PlayState::running;
  try {
    raise(wanted(), false);
  } catch (...) {
    states_[stream] = before;
    note_states(wanted());
    throw;
  }
  run_what_is_wanted(wanted());
  remove_strays();
}

void Session::pause(std::size_t stream) {
  if (states_[stream] != PlayState::running) {
    refuse(stream, "it is not running");
  }
  lower(stream, PlayState::paused);
}

void Session::reset(std::size_t stream) {
  if (states_[stream] < PlayState::paused) {
    refuse(stream, "it is neither running nor paused");
  }
  lower(stream, PlayState::reset);
}

void Session::stop(std::size_t stream) {
  if (states_[stream] == PlayState::absent) {
    refuse(stream, "it has not been started");
  }
  lower(stream, PlayState::absent);
}

void Session::lower(std::size_t stream, PlayState state) {
  states_[stream] = state;
  const States states = wanted();
  run_what_is_wanted(states);
  trim(states);
  remove_strays();
}

void Session::refuse(std::size_t stream, const char* reason) const {
  throw InputError("stream " + to_string(streams_[stream]) + ": " + reason);
}

// --- what a driver tells modules ---

void Session::set_control(std::size_t node, const Control& control,
                          std::vector<std::int64_t> values) {
  set({.node = node, .control = &control, .values = std::move(values), .blob = {}});
}

void Session::set_blob(std::size_t node, const Control& control, std::vector<std::byte> blob) {
  set({.node = node, .control = &control, .values = {}, .blob = std::move(blob)});
}

void Session::set(Setting setting) {
  wishes_[setting.node] = {};
  if (components_[setting.node].exists()) {
    on_core(graph_.nodes[setting.node].core, [&] { apply(setting); });
    remove_strays();
  }
  const auto known = std::find_if(settings_.begin(), settings_.end(), [&](const Setting& other) {
    return other.node == setting.node && other.control == setting.control;
  });
  if (known != settings_.end()) {
    *known = std::move(setting);
  } else {
    settings_.push_back(std::move(setting));
  }
}

// Tells an existing module.
void Session::apply(const Setting& setting) {
  Component& component = components_[setting.node];
  const std::string name = graph_.nodes[setting.node].widget->name + " " + setting.control->name;
  if (!setting.values.empty()) {
    if (!component.set_control(*setting.control, setting.values)) {
      throw InputError("control " + name + ": it does not take these values");
    }
    return;
  }
  bool set = false;
  try {
    set = component.set_control_blob(*setting.control, setting.blob);
  } catch (const InputError& error) {
    throw InputError("control " + name + ": " + error.what());
  }
  if (!set) {
    throw OutOfMemory("setting " + name);
  }
}

bool Session::trigger(std::size_t node) {
  bool triggered = false;
  if (runs_[node]) {
    wishes_[node] = {};
    on_core(graph_.nodes[node].core, [&] { triggered = components_[node].trigger(); });
    remove_strays();
  }
  return triggered;
}

// --- at work ---

void Session::run_core(CorePlan& plan, std::uint64_t period) {
  const AudioPathScope audio_path;
  for (Component* module : plan.modules) {
    plan.xruns += module->process(period) ? 0 : 1;
  }
  for (Component* task : plan.tasks) {
    if (task->ready(period)) {
      plan.xruns += task->process(period) ? 0 : 1;
    }
  }
  for (PipelineInstance* pipeline : plan.pipelines) {
    pipeline->count_period();
  }
  for (StreamBuffer* queue : plan.queues) {
    queue->settle();
  }
  for (const std::size_t node : plan.sources) {
    wishes_[node] = {period + 1, components_[node].host_frames(period + 1)};
  }
}

void Session::run_period(std::uint64_t period) {
  if (threads_ && system_.fence() != nullptr) {
    // One domain is entered at a time, whichever core it is that works in it.
    for (const std::uint32_t core : busy_) {
      threads_->run_on(core, [&](std::uint32_t) { run_core(plan_of(core), period); });
    }
  } else if (threads_) {
    threads_->run_on_each(busy_, [&](std::uint32_t core) { run_core(plan_of(core), period); });
  } else {
    if (CoreTurns* turns = system_.turns()) {
      turns->begin_turn(0);
    }
    run_core(plans_.front(), period);
  }
  for (StreamBuffer* queue : queues_) {
    queue->settle();
  }
  remove_strays();
}

// Ends the pipelines with modules that reached for what is not theirs. They stay absent, whatever
// streams ask for, and the others go on as when streams that used these pipelines stop.
void Session::remove_strays() {
  bool found = false;
  for (std::size_t i = 0; system_.fence() != nullptr && i < components_.size(); ++i) {
    if (components_[i].strayed()) {
      removed_[graph_.nodes[i].pipeline] = true;
      found = true;
    }
  }
  if (found) {
    const States states = wanted();
    run_what_is_wanted(states);
    trim(states);
  }
}

std::uint64_t Session::xruns() const {
  return std::accumulate(plans_.begin(), plans_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const CorePlan& plan) { return sum + plan.xruns; });
}

}  // namespace modmem::testbench
