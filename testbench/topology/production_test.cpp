// Real topologies: the production files and those of Debian's alsa-topology-conf, against an
// independent reader and against alsatplg's own decoder.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "testbench/input_error.hpp"
#include "testbench/topology/test_files.hpp"
#include "testbench/topology/topology.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::testbench {
namespace {

// Prints a loaded topology as independent_reader.py prints a file.
class Printer {
 public:
  static std::multiset<std::string> lines(const Topology& topology) {
    Printer printer;
    for (const Widget& widget : topology.widgets) {
      printer.line("widget", widget.group, static_cast<std::uint32_t>(widget.type), widget.name,
                   widget.stream_name, widget.controls.size());
      for (const Tuple& tuple : widget.tuples.list) {
        printer.tuple(tuple);
      }
      for (const Control& control : widget.controls) {
        printer.control(control);
      }
    }
    for (const Control& control : topology.controls) {
      printer.control(control);
    }
    for (const Route& route : topology.routes) {
      printer.line("route", route.group, route.source_name, route.control, route.sink_name);
    }
    for (const Pcm& pcm : topology.pcms) {
      printer.pcm(pcm);
    }
    for (const BackendLink& link : topology.links) {
      printer.line("link", link.id, link.name, link.stream_name, link.hardware_configs.size());
    }
    return printer.lines_;
  }

 private:
  template <typename First, typename... Rest>
  static std::string join(const First& first, const Rest&... rest) {
    std::ostringstream text;
    text << first;
    ((text << '|' << rest), ...);
    return text.str();
  }
  template <typename... Fields>
  void line(const Fields&... fields) {
    lines_.insert(join(fields...));
  }

  void tuple(const Tuple& tuple) {
    const auto type = static_cast<std::uint32_t>(tuple.type);
    if (const auto* uuid = std::get_if<Uuid>(&tuple.value)) {
      line("tuple", tuple.token, type, to_string(*uuid));
    } else if (const auto* text = std::get_if<std::string>(&tuple.value)) {
      line("tuple", tuple.token, type, *text);
    } else {
      line("tuple", tuple.token, type, std::get<std::uint32_t>(tuple.value));
    }
  }

  void control(const Control& control) {
    unsigned sum = 0;
    for (const std::byte byte : control.private_data) {
      sum += std::to_integer<unsigned>(byte);
    }
    const std::string common = join(control.name, control.access, control.ops.get, control.ops.put,
                                    control.private_data.size(), sum);
    std::string text;
    if (const auto* mixer = std::get_if<MixerControl>(&control.detail)) {
      text = join("control|mixer", common, mixer->min, mixer->max, mixer->invert ? 1 : 0,
                  mixer->channels.size());
    } else if (const auto* enumeration = std::get_if<EnumControl>(&control.detail)) {
      text = join("control|enum", common, enumeration->channels.size());
      for (const std::string& item : enumeration->texts) {
        text = join(text, item);
      }
    } else {
      text = join("control|bytes", common, std::get<BytesControl>(control.detail).max);
    }
    if (control.tlv && control.tlv->db_scale) {
      const DbScale& scale = *control.tlv->db_scale;
      text = join(text, scale.min, scale.step, scale.mute ? 1 : 0);
    }
    line(text);
  }

  void pcm(const Pcm& pcm) {
    std::string text =
        join("pcm", pcm.id, pcm.name, pcm.dai_name, pcm.playback ? 1 : 0, pcm.capture ? 1 : 0);
    for (const std::optional<StreamCaps>& caps : {pcm.playback, pcm.capture}) {
      if (caps) {
        text = join(text, caps->name, caps->formats, caps->rate_min, caps->rate_max,
                    caps->channels_min, caps->channels_max);
      }
    }
    line(text);
  }

  std::multiset<std::string> lines_;
};

std::multiset<std::string> independent_lines(const std::filesystem::path& path) {
  const CommandResult result =
      run_command(std::string(MODMEM_PYTHON) + " " +
                  quoted(MODMEM_SOURCE_DIR "/testbench/topology/independent_reader.py") + " " +
                  quoted(path.string()));
  EXPECT_EQ(result.status, 0) << "the independent reader failed on " << path;
  std::multiset<std::string> lines;
  std::istringstream output(result.output);
  for (std::string text; std::getline(output, text);) {
    lines.insert(text);
  }
  return lines;
}

// What of `expected` is not in `actual`, for a message of readable length.
std::string missing(const std::multiset<std::string>& expected,
                    const std::multiset<std::string>& actual) {
  std::vector<std::string> difference;
  std::set_difference(expected.begin(), expected.end(), actual.begin(), actual.end(),
                      std::back_inserter(difference));
  return difference.empty() ? "" : difference.front();
}

void expect_same_as_independent_reader(const Topology& topology,
                                       const std::filesystem::path& path) {
  const std::multiset<std::string> expected = independent_lines(path);
  const std::multiset<std::string> actual = Printer::lines(topology);
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(missing(expected, actual), "") << path << ": in the file, not in the model";
  EXPECT_EQ(missing(actual, expected), "") << path << ": in the model, not in the file";
}

// Each test walks all files: a parameter per file would hide a folder that is not there.
class Production : public testing::Test {
 protected:
  void SetUp() override {
    files_ = production_topologies();
    if (files_.empty()) {
      GTEST_SKIP() << "PRODUCTION TOPOLOGIES NOT FOUND: set MODMEM_SHARED to the folder that "
                      "holds them under topologies/";
    }
  }
  std::vector<std::filesystem::path> files_;
};

TEST_F(Production, EveryFileLoadsAsTheIndependentReaderSees) {
  for (const std::filesystem::path& path : files_) {
    const Topology topology = load_topology(path);
    EXPECT_EQ(check_topology(topology), "") << path;
    EXPECT_TRUE(topology.manifest) << path;
    EXPECT_FALSE(topology.pipelines.empty()) << path;
    EXPECT_EQ(topology.skipped_blocks, 0u) << path;
    expect_same_as_independent_reader(topology, path);
  }
}

// Reads the text that alsatplg decodes a topology into. A section stands as "SectionX {" with a
// member per line of one level of indentation, or, where it has one member, as "SectionX.name {".
std::size_t count_members(const std::string& text, const std::string& section) {
  std::istringstream lines(text);
  std::size_t count = 0;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("Section", 0) == 0) {
      inside = line == section + " {";
      count += line.rfind(section + ".", 0) == 0 ? 1 : 0;
    } else if (inside && line.size() > 1 && line[0] == '\t' && line[1] != '\t' && line[1] != '}') {
      ++count;
    }
  }
  return count;
}

// Routes are lines of the graph sections: 'sink, control, source'.
std::size_t count_routes(const std::string& text) {
  std::istringstream lines(text);
  std::size_t count = 0;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("Section", 0) == 0) {
      inside = line.rfind("SectionGraph", 0) == 0;
    }
    if (inside && std::count(line.begin(), line.end(), ',') == 2) {
      ++count;
    }
  }
  return count;
}

// alsatplg 1.2.8 decodes 9 of the production files and crashes on the others.
TEST_F(Production, CountsAreThoseOfAlsatplgWhereItManages) {
  std::size_t decoded = 0;
  for (const std::filesystem::path& path : files_) {
    const std::filesystem::path text_path = temporary_path(".conf");
    std::filesystem::remove(text_path);
    const CommandResult result =
        run_command("alsatplg -d " + quoted(path.string()) + " -o " + quoted(text_path.string()));
    if (result.status != 0) {
      continue;
    }
    ++decoded;
    std::ifstream file(text_path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Topology topology = load_topology(path);
    EXPECT_EQ(topology.widgets.size(), count_members(text, "SectionWidget")) << path;
    EXPECT_EQ(topology.pcms.size(), count_members(text, "SectionPCM")) << path;
    EXPECT_EQ(topology.links.size(), count_members(text, "SectionBE")) << path;
    EXPECT_EQ(topology.routes.size(), count_routes(text)) << path;
    std::filesystem::remove(text_path);
  }
  EXPECT_GT(decoded, 0u);
}

// What a module consumes and produces at a time is a millisecond of its format, or ten of them.
TEST_F(Production, BufferSizesFollowFromFormats) {
  std::set<std::string> longer_than_one_period;
  for (const std::filesystem::path& path : files_) {
    for (const Widget& widget : load_topology(path).widgets) {
      for (const std::vector<PinFormat>& formats : {widget.inputs, widget.outputs}) {
        for (const PinFormat& format : formats) {
          const std::uint32_t period = format.rate / 1000 * format.frame_bytes();
          if (format.buffer_bytes != period) {
            EXPECT_EQ(format.buffer_bytes, 10 * period) << path << ' ' << widget.name;
            longer_than_one_period.insert(widget.name);
          }
        }
      }
    }
  }
  EXPECT_EQ(longer_than_one_period, std::set<std::string>{"google-rtc-aec.18.1"});
}

// The loader takes channels and valid bits from the format config; the tokens that say the same
// must not say otherwise.
TEST_F(Production, FormatConfigsAgreeWithTheirTokens) {
  std::size_t checked = 0;
  for (const std::filesystem::path& path : files_) {
    for (const Widget& widget : load_topology(path).widgets) {
      std::map<std::uint32_t, std::map<std::uint32_t, std::uint32_t>> arrays;
      for (const Tuple& tuple : widget.tuples.list) {
        if (const auto* value = std::get_if<std::uint32_t>(&tuple.value)) {
          arrays[tuple.array][tuple.token] = *value;
        }
      }
      for (auto& [array, values] : arrays) {
        for (const std::uint32_t first : {1900u, 1930u}) {
          if (values.count(first + 7) == 0) {
            continue;
          }
          const std::uint32_t config = values[first + 7];
          EXPECT_EQ(config & 0xff, values[first + 3]) << path << ' ' << widget.name;
          EXPECT_EQ(config >> 8 & 0xff, values[first + 2]) << path << ' ' << widget.name;
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 0u);
}

TEST_F(Production, EveryModuleHasAPipelineAndFormats) {
  for (const std::filesystem::path& path : files_) {
    const Topology topology = load_topology(path);
    for (const Widget& widget : topology.widgets) {
      EXPECT_EQ(widget.pipeline.has_value(), widget.is_module() || widget.is_scheduler())
          << path << ' ' << widget.name;
      if (widget.is_module()) {
        EXPECT_FALSE(widget.inputs.empty()) << path << ' ' << widget.name;
        EXPECT_FALSE(widget.outputs.empty()) << path << ' ' << widget.name;
        EXPECT_EQ(widget.is_pages.value_or(1), 1u) << path << ' ' << widget.name;
      }
      EXPECT_EQ(widget.uuid == kGainUuid, widget.gain.has_value()) << path << ' ' << widget.name;
    }
  }
}

TEST_F(Production, RoutesWithAGroupStayInItsPipeline) {
  for (const std::filesystem::path& path : files_) {
    const Topology topology = load_topology(path);
    for (const Route& route : topology.routes) {
      if (route.group != 0) {
        ASSERT_TRUE(route.source && route.sink) << path << ' ' << route.source_name;
        EXPECT_EQ(topology.widgets[*route.source].group, route.group) << path;
        EXPECT_EQ(topology.widgets[*route.sink].group, route.group) << path;
      }
    }
  }
}

TEST_F(Production, EveryPcmHasAHostCopierOfItsOwn) {
  for (const std::filesystem::path& path : files_) {
    const Topology topology = load_topology(path);
    std::set<std::size_t> widgets;
    for (const Pcm& pcm : topology.pcms) {
      EXPECT_EQ(pcm.playback.has_value(), pcm.playback_widget.has_value()) << path << pcm.name;
      EXPECT_EQ(pcm.capture.has_value(), pcm.capture_widget.has_value()) << path << pcm.name;
      for (const std::optional<std::size_t>& widget : {pcm.playback_widget, pcm.capture_widget}) {
        if (widget) {
          EXPECT_TRUE(widgets.insert(*widget).second) << path << ' ' << pcm.name;
          EXPECT_EQ(topology.widgets[*widget].uuid, kCopierUuid) << path << ' ' << pcm.name;
        }
      }
    }
  }
}

TEST(AlsaTopologyConf, TheOtherDriversBinaryLoadsWithoutModules) {
  const std::filesystem::path path = "/usr/lib/firmware/skl_hda_dsp_generic-tplg.bin";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "ALSA-TOPOLOGY-CONF IS NOT INSTALLED: " << path;
  }
  const Topology topology = load_topology(path);
  EXPECT_EQ(check_topology(topology), "");
  EXPECT_EQ(topology.widgets.size(), 45u);
  EXPECT_EQ(topology.routes.size(), 45u);
  EXPECT_EQ(topology.pcms.size(), 7u);
  EXPECT_TRUE(topology.pipelines.empty());
  for (const Widget& widget : topology.widgets) {
    EXPECT_FALSE(widget.is_module()) << widget.name;
  }
  expect_same_as_independent_reader(topology, path);
}

TEST(AlsaTopologyConf, SourcesAreRefusedAndLoadOnceCompiled) {
  const std::filesystem::path folder = "/usr/share/alsa/topology";
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "ALSA-TOPOLOGY-CONF IS NOT INSTALLED: " << folder;
  }
  const std::filesystem::path compiled = temporary_path(".tplg");
  std::size_t loaded = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".conf") {
      continue;
    }
    EXPECT_THROW(load_topology(entry.path()), InputError) << entry.path();
    std::filesystem::remove(compiled);
    const CommandResult result = run_command("alsatplg -c " + quoted(entry.path().string()) +
                                             " -o " + quoted(compiled.string()));
    if (result.status != 0) {
      continue;
    }
    const Topology topology = load_topology(compiled);
    EXPECT_EQ(check_topology(topology), "") << entry.path();
    expect_same_as_independent_reader(topology, compiled);
    ++loaded;
  }
  EXPECT_GT(loaded, 0u) << "alsatplg compiled none of them";
  std::filesystem::remove(compiled);
}

}  // namespace
}  // namespace modmem::testbench
