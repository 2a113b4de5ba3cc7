#include "testbench/session.hpp"

#include <algorithm>

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
  return frames;
}

}  // namespace

Session::Session(System& system, const Topology& topology, const StreamGraph& graph)
    : system_(system),
      topology_(topology),
      graph_(graph),
      streams_(find_streams(topology, graph)),
      states_(streams_.size(), PlayState::absent),
      pipelines_(topology.pipelines.size()),
      components_(graph.nodes.size()),
      file_ports_(graph.nodes.size(), nullptr),
      runs_(graph.nodes.size(), false) {
  for (const StreamEdge& edge : graph.edges) {
    buffers_.emplace_back(edge);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const StreamNode& node = graph.nodes[i];
    if (node.endpoint == Endpoint::none) {
      continue;
    }
    const std::size_t frames = port_frames(graph, node);
    port_data_.emplace_back(frames * node.file_format.frame_bytes());
    ports_.push_back({node.file_format, port_data_.back().data(), frames, 0});
    file_ports_[i] = &ports_.back();
  }
  running_.reserve(graph.nodes.size());
  running_pipelines_.reserve(topology.pipelines.size());
}

bool Session::runs(std::size_t node) const { return runs_[node]; }

std::size_t Session::frames_wanted(std::size_t node, std::uint64_t period) const {
  return std::min(components_[node].host_frames(period), file_ports_[node]->capacity);
}

// --- operations ---

void Session::set_up() {
  xruns_ = 0;
  all_ = PlayState::running;
  const States states = wanted();
  raise(states);
  run_what_is_wanted(states);
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
    raise(wanted());
  } catch (...) {
    states_[stream] = before;
    trim(wanted());
    throw;
  }
  run_what_is_wanted(wanted());
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
}

void Session::refuse(std::size_t stream, const char* reason) const {
  throw InputError("stream " + to_string(streams_[stream]) + ": " + reason);
}

// --- from one state to another ---

// What the streams and the graph as a whole ask of each pipeline.
Session::States Session::wanted() const {
  States states(topology_.pipelines.size(), PlayState::absent);
  for (const std::size_t index : graph_.pipelines) {
    states[index] = all_;
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    for (const std::size_t index : streams_[i].pipelines) {
      states[index] = std::max(states[index], states_[i]);
    }
  }
  return states;
}

// Creates and prepares what `wanted` asks for and is not there. What is there is left as it is.
void Session::raise(const States& wanted) {
  Memory& memory = system_.memory();
  try {
    for (const std::size_t index : graph_.pipelines) {
      if (wanted[index] != PlayState::absent && !pipelines_[index].exists() &&
          !pipelines_[index].create(memory, topology_.pipelines[index])) {
        throw OutOfMemory("creating " + topology_.pipelines[index].name);
      }
    }
    for (std::size_t i = 0; i < components_.size(); ++i) {
      const StreamNode& node = graph_.nodes[i];
      if (wanted[node.pipeline] != PlayState::absent && !components_[i].exists() &&
          !components_[i].open(memory, *pipelines_[node.pipeline].owner(), node)) {
        throw OutOfMemory("creating " + node.widget->name);
      }
    }
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const StreamEdge& edge = graph_.edges[i];
      // A buffer belongs to the pipeline of the module that fills it.
      Owner* pipeline = pipelines_[graph_.nodes[edge.source].pipeline].owner();
      if (components_[edge.source].exists() && components_[edge.sink].exists() &&
          !buffers_[i].bound() && !buffers_[i].open(memory, *pipeline)) {
        throw OutOfMemory("binding " + edge.name);
      }
    }
    for (std::size_t i = 0; i < components_.size(); ++i) {
      if (wanted[graph_.nodes[i].pipeline] >= PlayState::paused && !components_[i].prepared()) {
        prepare(i);
      }
    }
  } catch (const InputError& error) {
    // A module knows its widget, but not the file that the widget came from.
    throw InputError(topology_.name + ": " + error.what());
  }
}

void Session::prepare(std::size_t node) {
  const StreamNode& what = graph_.nodes[node];
  std::vector<StreamBuffer*> inputs;
  std::vector<StreamBuffer*> outputs;
  for (const std::size_t edge : what.inputs) {
    inputs.push_back(&buffers_[edge]);
  }
  for (const std::size_t edge : what.outputs) {
    outputs.push_back(&buffers_[edge]);
  }
  Component& component = components_[node];
  FilePort* port = file_ports_[node];
  if (!component.prepare(inputs, outputs, port)) {
    throw OutOfMemory("preparing " + what.widget->name);
  }
  if (what.endpoint == Endpoint::source && component.most_host_frames() > port->capacity) {
    port->capacity = component.most_host_frames();
    const auto at = static_cast<std::size_t>(
        std::find_if(ports_.begin(), ports_.end(), [&](const FilePort& p) { return &p == port; }) -
        ports_.begin());
    port_data_[at].resize(port->capacity * port->format.frame_bytes());
    port->data = port_data_[at].data();
  }
}

// Resets and deletes what `wanted` does not ask for.
void Session::trim(const States& wanted) {
  const auto state_of = [&](std::size_t node) { return wanted[graph_.nodes[node].pipeline]; };
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if (state_of(i) < PlayState::paused) {
      components_[i].reset();
    }
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    if (std::min(state_of(graph_.edges[i].source), state_of(graph_.edges[i].sink)) ==
        PlayState::absent) {
      buffers_[i].close();
    }
  }
  for (std::size_t i = components_.size(); i-- > 0;) {
    if (state_of(i) == PlayState::absent) {
      components_[i].close();
    }
  }
  for (std::size_t i = 0; i < pipelines_.size(); ++i) {
    if (wanted[i] == PlayState::absent) {
      pipelines_[i].destroy(system_.memory());
    }
  }
}

// From the next period on, runs those pipelines that `wanted` says. They are prepared.
void Session::run_what_is_wanted(const States& wanted) {
  running_.clear();
  running_pipelines_.clear();
  for (std::size_t i = 0; i < components_.size(); ++i) {
    runs_[i] = wanted[graph_.nodes[i].pipeline] == PlayState::running;
    if (runs_[i]) {
      running_.push_back(&components_[i]);
    } else if (file_ports_[i] != nullptr) {
      file_ports_[i]->frames = 0;
    }
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    buffers_[i].set_live(runs_[graph_.edges[i].source] && runs_[graph_.edges[i].sink]);
  }
  for (const std::size_t index : graph_.pipelines) {
    if (wanted[index] == PlayState::running) {
      running_pipelines_.push_back(&pipelines_[index]);
    }
  }
}

// --- at work ---

void Session::run_period(std::uint64_t period) {
  const AudioPathScope audio_path;
  for (Component* component : running_) {
    xruns_ += component->process(period) ? 0 : 1;
  }
  for (PipelineInstance* pipeline : running_pipelines_) {
    pipeline->count_period();
  }
}

}  // namespace modmem::testbench
