// The example scripts: every name in them is one of their topology's, every command comes where a
// driver could give it, and at the end nothing plays.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <variant>

#include "testbench/modules/kpb.hpp"
#include "testbench/pcm_stream.hpp"
#include "testbench/script.hpp"
#include "testbench/stream_graph.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {
namespace {

using Kind = ScriptCommand::Kind;
using Stream = std::pair<std::string, Direction>;

// Which topology each script is for.
const std::map<std::string, std::string> kScripts = {{"call.script", "desk"},
                                                     {"deep-buffer.script", "desk-deep"},
                                                     {"desk-day.script", "desk"},
                                                     {"key-phrase.script", "desk"}};

std::filesystem::path folder() { return MODMEM_SCRIPTS_DIR; }

// Follows a script and complains about what does not fit.
class Driver {
 public:
  explicit Driver(const std::string& topology)
      : topology_(load_topology(std::string(MODMEM_EXAMPLES_DIR) + "/" + topology + ".tplg")),
        graph_(build_graph(topology_, {}, {48000, 2, SampleFormat::s16})) {
    for (const PcmStream& stream : find_streams(topology_, graph_)) {
      streams_[{stream.pcm, stream.direction}] = {.uses = stream.pipelines};
    }
  }

  void run(const Script& script) {
    for (const ScriptCommand& command : script.commands) {
      SCOPED_TRACE(script.path.filename().string() + ":" + std::to_string(command.line));
      give(command);
    }
    for (const auto& [name, stream] : streams_) {
      EXPECT_EQ(stream.state, State::absent) << name.first << " is left";
    }
  }

  std::uint64_t ms() const { return ms_; }
  std::size_t most_running() const { return most_running_; }
  const std::set<Stream>& started() const { return started_; }

 private:
  enum class State : std::uint8_t { absent, reset, paused, running };
  struct Use {
    State state = State::absent;
    std::vector<std::size_t> uses;
  };

  void give(const ScriptCommand& command) {
    switch (command.kind) {
      case Kind::start:
      case Kind::stop:
      case Kind::pause:
      case Kind::reset:
        change(command);
        break;
      case Kind::set:
        set(command);
        break;
      case Kind::set_blob:
        EXPECT_TRUE(std::filesystem::is_regular_file(command.file)) << command.file;
        break;
      case Kind::trigger: {
        const Widget* widget = find_widget(topology_, command.name);
        ASSERT_NE(widget, nullptr) << command.name;
        EXPECT_EQ(widget->uuid, kKpbUuid);
        EXPECT_EQ(state_of(*widget), State::running);
        break;
      }
      case Kind::wait:
        ms_ += command.ms;
        break;
    }
  }

  void change(const ScriptCommand& command) {
    const auto found = streams_.find({command.name, command.direction});
    ASSERT_NE(found, streams_.end()) << command.name;
    State& state = found->second.state;
    if (command.kind == Kind::start) {
      EXPECT_NE(state, State::running);
      EXPECT_TRUE(command.file.empty()) << "an example that needs or leaves files";
      state = State::running;
      started_.insert(found->first);
    } else if (command.kind == Kind::pause) {
      EXPECT_EQ(state, State::running);
      state = State::paused;
    } else if (command.kind == Kind::reset) {
      EXPECT_GE(state, State::paused);
      state = State::reset;
    } else {
      EXPECT_NE(state, State::absent);
      state = State::absent;
    }
    most_running_ =
        std::max(most_running_, static_cast<std::size_t>(std::count_if(
                                    streams_.begin(), streams_.end(), [](const auto& stream) {
                                      return stream.second.state == State::running;
                                    })));
  }

  void set(const ScriptCommand& command) {
    for (const Widget& widget : topology_.widgets) {
      for (const Control& control : widget.controls) {
        if (control.name != command.name) {
          continue;
        }
        EXPECT_NE(state_of(widget), State::absent) << "nobody is there to be told";
        const auto* mixer = std::get_if<MixerControl>(&control.detail);
        ASSERT_NE(mixer, nullptr);
        EXPECT_TRUE(command.values.size() == 1 || command.values.size() == mixer->channels.size());
        for (const std::int64_t value : command.values) {
          EXPECT_GE(value, mixer->min);
          EXPECT_LE(value, mixer->max);
        }
        return;
      }
    }
    FAIL() << "no control " << command.name;
  }

  // The furthest state of the streams that use the widget's pipeline.
  State state_of(const Widget& widget) const {
    State furthest = State::absent;
    for (const auto& [name, stream] : streams_) {
      if (std::count(stream.uses.begin(), stream.uses.end(), widget.pipeline) != 0) {
        furthest = std::max(furthest, stream.state);
      }
    }
    return furthest;
  }

  Topology topology_;
  StreamGraph graph_;
  std::map<Stream, Use> streams_;
  std::set<Stream> started_;
  std::uint64_t ms_ = 0;
  std::size_t most_running_ = 0;
};

TEST(ExampleScriptsTest, AllAreKnown) {
  std::set<std::string> known;
  for (const auto& [name, topology] : kScripts) {
    known.insert(name);
  }
  std::set<std::string> there;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".script") {
      there.insert(entry.path().filename().string());
    }
  }
  EXPECT_EQ(there, known);
}

TEST(ExampleScriptsTest, FitTheirTopologies) {
  for (const auto& [name, topology] : kScripts) {
    const Script script = load_script(folder() / name);
    EXPECT_FALSE(script.commands.empty()) << name;
    Driver(topology).run(script);
  }
}

TEST(ExampleScriptsTest, TheDayTakesTenMinutesAndUsesEveryStream) {
  Driver driver("desk");
  driver.run(load_script(folder() / "desk-day.script"));
  EXPECT_EQ(driver.ms(), 600000U);
  EXPECT_EQ(driver.started().size(), 9U);
  EXPECT_GE(driver.most_running(), 6U);
}

}  // namespace
}  // namespace modmem::testbench
