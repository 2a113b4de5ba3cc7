// Player: a session on a system of its own, played by hand: what its sources give is up to the
// test, and what its sinks get is there to be looked at.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "testbench/session.hpp"

namespace modmem::testbench {

class Player {
 public:
  static constexpr StreamFormat kFile{48000, 2, SampleFormat::s32};

  // Fills a source's port, which has its frames set.
  using Fill = std::function<void(const std::string& source, FilePort& port)>;

  explicit Player(Topology from, const PlatformConfig& platform = find_platform("mtl"),
                  const Policy& policy = kElasticPolicy, const StreamFormat& file = kFile)
      : topology(std::move(from)),
        graph(build_graph(topology, {}, file)),
        system(platform, policy),
        session(system, topology, graph) {}

  std::size_t node(const std::string& name) const {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].widget->name == name) {
        return i;
      }
    }
    ADD_FAILURE() << "no node " << name;
    return 0;
  }
  FilePort& port(const std::string& name) { return *session.file_port(node(name)); }

  // One period, in which `fill` says what each source gives.
  void play_with(const Fill& fill) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].endpoint == Endpoint::source && session.runs(i)) {
        FilePort& file = *session.file_port(i);
        file.frames = session.frames_wanted(i, period);
        fill(graph.nodes[i].widget->name, file);
      }
    }
    session.run_period(period++);
  }

  // One period, in which sources of 32 bits give constant samples, 0 where not named.
  void play(const std::map<std::string, std::int32_t>& sources) {
    play_with([&](const std::string& name, FilePort& file) {
      const auto value = sources.find(name);
      const std::int32_t sample = value != sources.end() ? value->second : 0;
      if (file.format.sample == SampleFormat::s32) {
        for (std::size_t at = 0; at < file.frames * file.format.channels; ++at) {
          std::memcpy(file.data + 4 * at, &sample, 4);
        }
      }
    });
  }

  // What the sink got in the last period: all samples alike. nullopt where it got none.
  std::optional<std::int32_t> heard(const std::string& sink) {
    const FilePort& file = port(sink);
    if (file.frames == 0) {
      return std::nullopt;
    }
    EXPECT_EQ(file.frames, file.format.rate / 1000);
    std::vector<std::int32_t> samples(file.frames * file.format.channels);
    std::memcpy(samples.data(), file.data, 4 * samples.size());
    EXPECT_EQ(std::set<std::int32_t>(samples.begin(), samples.end()).size(), 1U);
    return samples.front();
  }

  const Owner* pipeline(std::uint32_t id) {
    for (const Owner* at = system.memory().system().first_child; at != nullptr;
         at = at->next_sibling) {
      if (at->spec.id == id) {
        return at;
      }
    }
    return nullptr;
  }
  // Those that exist.
  std::set<std::uint32_t> pipelines() {
    std::set<std::uint32_t> ids;
    for (const PipelineReport& report : session.pipelines()) {
      if (report.live_bytes != 0) {
        ids.insert(report.id);
      }
    }
    return ids;
  }

  Topology topology;
  StreamGraph graph;
  System system;
  Session session;
  std::uint64_t period = 0;
};

}  // namespace modmem::testbench
