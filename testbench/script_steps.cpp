#include "testbench/script_steps.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <variant>

#include "testbench/audio/audio_reader.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/control_values.hpp"
#include "testbench/pipeline_instance.hpp"

namespace modmem::testbench {

namespace {

using Kind = ScriptCommand::Kind;

constexpr std::size_t kMaxBlobBytes = std::size_t{1} << 20;

// SOF's header: magic, type, size, ABI, 16 reserved bytes.
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kHeaderSizeAt = 8;
constexpr char kMagic[] = {'S', 'O', 'F', '4'};

// Walks through a script and follows the streams' states.
class Resolver {
 public:
  Resolver(const Script& script, const StreamGraph& graph, const std::vector<PcmStream>& streams)
      : script_(script),
        graph_(graph),
        streams_(streams),
        states_(streams.size(), PlayState::absent) {}

  ScriptStep step(const ScriptCommand& command) {
    command_ = &command;
    ScriptStep step{.command = &command, .stream = 0, .node = 0, .control = nullptr, .blob = {}};
    switch (command.kind) {
      case Kind::start:
      case Kind::stop:
      case Kind::pause:
      case Kind::reset:
        step.stream = find_stream();
        change(states_[step.stream]);
        break;
      case Kind::set:
        find_control(step);
        if (!fits(*step.control, command.values)) {
          fail("control " + command.name + " does not take these values");
        }
        break;
      case Kind::set_blob:
        find_control(step);
        if (!std::holds_alternative<BytesControl>(step.control->detail)) {
          fail("control " + command.name + " takes no blob");
        }
        step.blob = read_blob();
        break;
      case Kind::trigger:
        step.node = find_node();
        require_running(step.node);
        break;
      case Kind::wait:
        break;
    }
    return step;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(place_of(script_, *command_) + ": " + reason);
  }

  std::size_t find_stream() const {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (streams_[i].pcm == command_->name && streams_[i].direction == command_->direction) {
        return i;
      }
    }
    fail("the topology has no PCM " + command_->name + " for " +
         (command_->direction == Direction::playback ? "playback" : "capture"));
  }

  void change(PlayState& state) const {
    const std::string& name = command_->name;
    switch (command_->kind) {
      case Kind::start:
        if (state == PlayState::running) {
          fail(name + " is running already");
        }
        if (!command_->file.empty()) {
          const AudioReader probe(command_->file);  // says what is wrong with it
        }
        state = PlayState::running;
        break;
      case Kind::pause:
        if (state != PlayState::running) {
          fail(name + " is not running");
        }
        state = PlayState::paused;
        break;
      case Kind::reset:
        if (state < PlayState::paused) {
          fail(name + " is neither running nor paused");
        }
        state = PlayState::reset;
        break;
      default:
        if (state == PlayState::absent) {
          fail(name + " has not been started");
        }
        state = PlayState::absent;
        break;
    }
  }

  void find_control(ScriptStep& step) const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Widget& widget = *graph_.nodes[i].widget;
      for (const Control& control : widget.controls) {
        if (control.name == command_->name || widget.name + " " + control.name == command_->name) {
          if (step.control != nullptr) {
            fail("control " + command_->name + " is ambiguous: " +
                 graph_.nodes[step.node].widget->name + " and " + widget.name + " have one");
          }
          step.node = i;
          step.control = &control;
        }
      }
    }
    if (step.control == nullptr) {
      fail("no module has a control " + command_->name);
    }
  }

  std::size_t find_node() const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.nodes[i].widget->name == command_->name) {
        return i;
      }
    }
    fail("no module is called " + command_->name);
  }

  void require_running(std::size_t node) const {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      const std::vector<std::size_t>& pipelines = streams_[i].pipelines;
      if (states_[i] == PlayState::running &&
          std::binary_search(pipelines.begin(), pipelines.end(), graph_.nodes[node].pipeline)) {
        return;
      }
    }
    fail(command_->name + " is not running");
  }

  std::vector<std::byte> read_blob() const {
    std::ifstream file(command_->file, std::ios::binary);
    std::vector<char> text(kMaxBlobBytes + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    if (!file.is_open() || got == 0 || got > kMaxBlobBytes) {
      fail(command_->file.string() + " is not a file of 1 B to 1 MiB that can be read");
    }
    std::size_t first = 0;
    if (got >= sizeof kMagic && std::memcmp(text.data(), kMagic, sizeof kMagic) == 0) {
      std::uint32_t size = 0;
      if (got >= kHeaderBytes) {
        std::memcpy(&size, text.data() + kHeaderSizeAt, sizeof size);
      }
      if (size != got - std::min(got, kHeaderBytes) || size == 0) {
        fail(command_->file.string() + " has a header that does not fit its size");
      }
      first = kHeaderBytes;
    }
    std::vector<std::byte> blob(got - first);
    std::memcpy(blob.data(), text.data() + first, blob.size());
    return blob;
  }

  const Script& script_;
  const StreamGraph& graph_;
  const std::vector<PcmStream>& streams_;
  std::vector<PlayState> states_;
  const ScriptCommand* command_ = nullptr;
};

}  // namespace

std::vector<ScriptStep> resolve(const Script& script, const StreamGraph& graph,
                                const std::vector<PcmStream>& streams) {
  Resolver resolver(script, graph, streams);
  std::vector<ScriptStep> steps;
  steps.reserve(script.commands.size());
  std::transform(script.commands.begin(), script.commands.end(), std::back_inserter(steps),
                 [&](const ScriptCommand& command) { return resolver.step(command); });
  return steps;
}

std::string place_of(const Script& script, const ScriptCommand& command) {
  return script.path.string() + ":" + std::to_string(command.line);
}

}  // namespace modmem::testbench
