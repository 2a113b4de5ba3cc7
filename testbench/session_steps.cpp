// The steps by which a session's pipelines come, run and go: from what its streams want to what
// there is.
#include <algorithm>

#include "testbench/input_error.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/run_trace.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {

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
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i] = removed_[i] ? PlayState::absent : states[i];
  }
  return states;
}

// Does a step on the core of the pipeline that it is for: no other has its memory in its cache.
void Session::on_core(std::uint32_t core, const std::function<void()>& step) const {
  if (core == 0) {
    step();
  } else {
    threads_->run_on(core, [&](std::uint32_t) { step(); });
  }
}

// Creates and prepares what `wanted` asks for and is not there. What is there is left as it is.
// Where that fails, what was made is ended again, or stays where `keeps_half`.
void Session::raise(const States& wanted, bool keeps_half) {
  // A step for each pipeline and part, and for each owner that is admitted.
  std::vector<TransactionStep> steps(2 * pipelines_.size() + 2 * components_.size() +
                                     buffers_.size() + 1);
  Transaction setup(system_.memory(), steps);
  try {
    set_up_missing(setup, wanted);
  } catch (const InputError& error) {
    return_unused();
    if (keeps_half) {
      setup.commit();
    }
    // A module knows its widget, but not the file that the widget came from.
    throw InputError(topology_.name + ": " + error.what());
  } catch (...) {
    return_unused();
    if (keeps_half) {
      setup.commit();
    }
    throw;
  }
  return_unused();
  setup.commit();
}

void Session::set_up_missing(Transaction& setup, const States& wanted) {
  Memory& memory = system_.memory();
  const auto require = [](bool done, const char* what, const std::string& name) {
    if (!done) {
      throw OutOfMemory(what + name);
    }
  };
  const auto undo = [&](TransactionStep::Undo step, std::size_t number) {
    setup.on_undo(step, this, number);
  };
  std::vector<std::size_t> created;
  for (const std::size_t index : graph_.pipelines) {
    const Pipeline& pipeline = topology_.pipelines[index];
    if (wanted[index] != PlayState::absent && !pipelines_[index].exists()) {
      undo([](void* self, std::size_t i) { static_cast<Session*>(self)->end_pipeline(i); }, index);
      created.push_back(index);
      on_core(pipeline.core, [&] {
        require(pipelines_[index].create(memory, pipeline), "creating ", pipeline.name);
      });
    }
  }
  admit(setup, wanted);
  for (const std::size_t index : created) {
    const Pipeline& pipeline = topology_.pipelines[index];
    on_core(pipeline.core, [&] {
      require(pipelines_[index].make_record(memory, pipeline), "creating ", pipeline.name);
    });
  }
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const StreamNode& node = graph_.nodes[i];
    if (wanted[node.pipeline] != PlayState::absent && !components_[i].exists()) {
      undo([](void* self, std::size_t at) { static_cast<Session*>(self)->end_component(at); }, i);
      set_up_part({PartKind::module, i}, node.core, [&] {
        Owner& pipeline = *pipelines_[node.pipeline].owner();
        require(components_[i].open(memory, pipeline, node, loaded_, stand_ins_, system_.fence()),
                "creating ", node.widget->name);
        for (const Setting& setting : settings_) {
          if (setting.node == i) {
            apply(setting);
          }
        }
      });
    }
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const StreamEdge& edge = graph_.edges[i];
    if (components_[edge.source].exists() && components_[edge.sink].exists() &&
        !buffers_[i].bound()) {
      // A buffer belongs to the pipeline of the module that fills it.
      const StreamNode& source = graph_.nodes[edge.source];
      undo([](void* self, std::size_t at) { static_cast<Session*>(self)->close_buffer(at); }, i);
      set_up_part({PartKind::buffer, i}, source.core, [&] {
        Owner& pipeline = *pipelines_[source.pipeline].owner();
        require(buffers_[i].open(memory, pipeline, system_.fence()) && grant(i), "binding ",
                edge.name);
      });
    }
  }
  note_states(wanted, PlayState::reset);
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const StreamNode& node = graph_.nodes[i];
    if (wanted[node.pipeline] >= PlayState::paused && !components_[i].prepared()) {
      undo([](void* self, std::size_t at) { static_cast<Session*>(self)->reset_component(at); }, i);
      set_up_part({PartKind::prepared_module, i}, node.core, [&] { prepare(i); });
    }
  }
  note_states(wanted, PlayState::paused);
}

// Where there are domains, has a buffer's source write it and its sink read it. False exactly when
// memory ran out.
bool Session::grant(std::size_t buffer) {
  Memory& memory = system_.memory();
  const StreamEdge& edge = graph_.edges[buffer];
  const Owner* domain = buffers_[buffer].domain();
  const auto allow = [&](std::size_t node, Access access) {
    const Owner* to = components_[node].domain();
    return to == nullptr || memory.grant(*to, *domain, access);
  };
  return domain == nullptr ||
         (allow(edge.source, Access::open) && allow(edge.sink, Access::read_only));
}

// Does a step of setting up, and notes what it takes for the next time.
void Session::set_up_part(const Part& part, std::uint32_t core, const std::function<void()>& step) {
  NeedsBook& needs = system_.needs();
  needs.begin(part);
  try {
    on_core(core, step);
  } catch (...) {
    needs.end();
    needs.drop(part);
    throw;
  }
  needs.end();
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
      reset_component(i);
    }
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    if (std::min(state_of(graph_.edges[i].source), state_of(graph_.edges[i].sink)) ==
        PlayState::absent) {
      close_buffer(i);
    }
  }
  for (std::size_t i = components_.size(); i-- > 0;) {
    if (state_of(i) == PlayState::absent) {
      end_component(i);
    }
  }
  for (std::size_t i = 0; i < pipelines_.size(); ++i) {
    if (wanted[i] == PlayState::absent) {
      end_pipeline(i);
    }
  }
  // Each core takes back what others freed of its heaps.
  for (const CorePlan& plan : plans_) {
    on_core(plan.core, [this] { system_.memory().drain(UINT32_MAX); });
  }
}

// Each core gives back what its own pipelines had.
void Session::reset_component(std::size_t node) {
  on_core(graph_.nodes[node].core, [&] { components_[node].reset(); });
}

void Session::close_buffer(std::size_t edge) {
  on_core(graph_.nodes[graph_.edges[edge].source].core, [&] { buffers_[edge].close(); });
}

Session::CorePlan& Session::plan_of(std::uint32_t core) {
  return *std::find_if(plans_.begin(), plans_.end(),
                       [core](const CorePlan& plan) { return plan.core == core; });
}

// Has the trace, if there is one, tell what becomes of pipelines, which have come as far as `most`.
void Session::note_states(const States& wanted, PlayState most) {
  RunTrace* const trace = system_.trace();
  noted_.resize(wanted.size(), PlayState::absent);
  for (std::size_t i = 0; trace != nullptr && i < wanted.size(); ++i) {
    // On the way up a state at a time; what has come further stays.
    const PlayState state =
        most < PlayState::running ? std::max(noted_[i], std::min(wanted[i], most)) : wanted[i];
    if (noted_[i] != state) {
      trace->note_pipeline(topology_.pipelines[i].id, static_cast<std::uint32_t>(state));
      noted_[i] = state;
    }
  }
}

// From the next period on, runs those pipelines that `wanted` says. They are prepared.
void Session::run_what_is_wanted(const States& wanted) {
  note_states(wanted);
  for (CorePlan& plan : plans_) {
    plan.modules.clear();
    plan.tasks.clear();
    plan.pipelines.clear();
    plan.queues.clear();
    plan.sources.clear();
  }
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const StreamNode& node = graph_.nodes[i];
    runs_[i] = wanted[node.pipeline] == PlayState::running;
    wishes_[i] = {};
    if (runs_[i]) {
      CorePlan& plan = plan_of(node.core);
      (node.task ? plan.tasks : plan.modules).push_back(&components_[i]);
      if (node.endpoint == Endpoint::source) {
        plan.sources.push_back(i);
      }
    } else if (file_ports_[i] != nullptr) {
      file_ports_[i]->frames = 0;
    }
  }
  queues_.clear();
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const StreamEdge& edge = graph_.edges[i];
    const std::uint32_t core = graph_.nodes[edge.source].core;
    const bool live = runs_[edge.source] && runs_[edge.sink];
    if (live != buffers_[i].live()) {
      on_core(core, [&] { buffers_[i].set_live(live); });
    }
    if (edge.decoupled && live) {
      (edge.between_cores ? queues_ : plan_of(core).queues).push_back(&buffers_[i]);
    }
  }
  for (const std::size_t index : graph_.pipelines) {
    if (wanted[index] == PlayState::running) {
      plan_of(topology_.pipelines[index].core).pipelines.push_back(&pipelines_[index]);
    }
  }
  busy_.clear();
  for (const CorePlan& plan : plans_) {
    if (!plan.pipelines.empty()) {
      busy_.push_back(plan.core);
    }
  }
}

}  // namespace modmem::testbench
