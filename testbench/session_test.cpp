// Sessions from set-up to tear-down: whatever happens in between, the pool ends as it began.
#include "testbench/session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>

#include "testbench/audio_path_guard.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/testing/system_state.hpp"
#include "testbench/testing/topology_maker.hpp"
#include "testbench/topology/test_files.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFile{48000, 2, SampleFormat::s16};

// A topology and the graph of all of it.
struct Stream {
  explicit Stream(Topology from)
      : topology(std::move(from)), graph(build_graph(topology, {}, kFile)) {}

  Topology topology;
  StreamGraph graph;
};

std::filesystem::path test_topology(const std::string& name) {
  return std::filesystem::path(MODMEM_TEST_TOPOLOGIES_DIR) / (name + ".tplg");
}

Stream example(const std::string& name = "playback-and-capture") {
  return Stream(load_topology(example_topology(name)));
}

void run(Session& session, std::uint64_t periods) {
  for (std::uint64_t period = 0; period < periods; ++period) {
    session.run_period(period);
  }
}

// Sets `session` up, plays a little and tears it down. False where memory ran out.
bool live(Session& session) {
  try {
    session.set_up();
    run(session, 2);
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()), "");
    session.tear_down();
    return false;
  }
  session.tear_down();
  return true;
}

// Lives one life on a system of its own and expects that nothing stays. True where it fitted.
bool leaves_nothing(const PlatformConfig& config, const Policy& policy, const Stream& stream) {
  System system(config, policy);
  const State before = state_of(system);
  bool fitted = false;
  {
    Session session(system, stream.topology, stream.graph);
    fitted = live(session);
    EXPECT_EQ(state_of(system), before);
  }
  EXPECT_EQ(fitted, !system.first_failure().has_value());
  return fitted;
}

TEST(SessionTest, BuffersThatNoChipHasTakeNoMemoryOfTheHostEither) {
  constexpr std::uint32_t kBytes = 0xfffffff0;
  const Stream huge(TopologyMaker()
                        .pipeline(1)
                        .source("in")
                        .sink("out")
                        .inputs({pin_format(kFile, 0, kBytes)})
                        .outputs({pin_format(kFile)})
                        .route({"in", "out"})
                        .made());
  ASSERT_GE(huge.graph.edges.at(0).bytes, kBytes);
  System system(find_platform("mtl"), kElasticPolicy);
  Session session(system, huge.topology, huge.graph);
  for (std::size_t i = 0; i < huge.graph.nodes.size(); ++i) {
    const FilePort& port = *session.file_port(i);
    EXPECT_GE(port.capacity, 48U);
    EXPECT_LE(port.capacity * port.format.frame_bytes(), std::size_t{64} << 20);
  }
  EXPECT_FALSE(live(session));
}

TEST(SessionTest, LeavesNothingBehindOnAnyPlatform) {
  for (const char* name : {"playback-mixer", "capture", "passthrough", "playback-and-capture"}) {
    const Stream stream = example(name);
    for (const char* platform : {"mtl", "lnl", "ptl", "wcl", "tgl", "mcu"}) {
      for (const Policy* policy : kPolicies) {
        if (boots(find_platform(platform), *policy)) {
          EXPECT_TRUE(leaves_nothing(find_platform(platform), *policy, stream))
              << name << " on " << platform << ", " << policy->name;
        }
      }
    }
  }
}

TEST(SessionTest, EveryStateLeadsBack) {
  const Stream stream = example();
  System system(find_platform("mtl"), kElasticPolicy);
  const State before = state_of(system);
  {
    Session session(system, stream.topology, stream.graph);
    session.tear_down();  // nothing is set up
    EXPECT_EQ(state_of(system), before);
    session.set_up();
    EXPECT_NE(state_of(system), before);
    session.tear_down();  // nothing was played
    session.tear_down();  // nothing is left
    EXPECT_EQ(state_of(system), before);
    session.set_up();
    run(session, 3);
    // The destructor tears down.
  }
  EXPECT_EQ(state_of(system), before);
}

TEST(SessionTest, AThousandLivesAreAFlatLine) {
  const Stream stream = example();
  for (const char* platform : {"mtl", "mcu"}) {
    System system(find_platform(platform), kElasticPolicy);
    const State before = state_of(system);
    Session session(system, stream.topology, stream.graph);
    session.set_up();
    const State playing = state_of(system);
    const std::uint32_t peak = system.memory().pool().peak_taken();
    session.tear_down();
    for (int cycle = 0; cycle < 1000; ++cycle) {
      session.set_up();
      session.run_period(0);
      if (cycle % 100 == 0) {
        EXPECT_EQ(state_of(system), playing);
      }
      session.tear_down();
      ASSERT_EQ(system.mapped_bytes(), before.mapped_bytes) << cycle;
      ASSERT_EQ(system.memory().pool().peak_taken(), peak) << cycle;
    }
    EXPECT_EQ(state_of(system), before);
    EXPECT_EQ(session.xruns(), 0U);
  }
}

// --- memory runs out ---

// Lets the system as a whole hold a little more each time, so that every single request of a
// set-up is the one that fails, in turn.
TEST(SessionTest, EveryRequestMayBeTheOneThatFails) {
  const Stream stream = example();
  for (const Policy* policy : kPolicies) {
    std::size_t limit = 0;
    int failures = 0;
    for (bool fitted = false; !fitted; ++failures) {
      System system(find_platform("mtl"), *policy);
      const State before = state_of(system);
      Owner& all = system.memory().system();
      all.spec.limit = limit;
      Session session(system, stream.topology, stream.graph);
      fitted = live(session);
      ASSERT_EQ(state_of(system), before) << "at " << limit << " bytes";
      if (!fitted) {
        const FailureNote& failure = system.first_failure().value();
        ASSERT_EQ(failure.figures.reason, FailureReason::limit);
        ASSERT_LT(failure.figures.largest_request, failure.figures.bytes);
        limit += failure.figures.bytes - failure.figures.largest_request;
        // The same session lives on a system that has more.
        all.spec.limit = OwnerSpec::kNoLimit;
        ASSERT_TRUE(live(session));
        ASSERT_EQ(state_of(system), before);
      }
    }
    // Every module asked for something; the buffers are admitted as a whole.
    EXPECT_GT(failures, static_cast<int>(stream.graph.nodes.size()));
  }
}

TEST(SessionTest, EveryPageMayBeTheOneThatIsMissing) {
  const Stream stream = example();
  for (const char* platform : {"mtl", "mcu"}) {
    for (const Policy* policy : kPolicies) {
      PlatformConfig config = find_platform(platform);
      config.arena_bytes = 0;
      int out_of_memory = 0;
      bool fitted = false;
      if (!boots(find_platform(platform), *policy)) {
        continue;
      }
      for (std::size_t pages = 1; !fitted; ++pages) {
        config.sram_bytes = config.reserve_bytes + pages * config::kPageBytes;
        ASSERT_LT(pages, 1000U);
        try {
          fitted = leaves_nothing(config, *policy, stream);
          out_of_memory += fitted ? 0 : 1;
        } catch (const InputError&) {
          EXPECT_EQ(out_of_memory, 0) << "a larger pool did not even boot";
        }
      }
      EXPECT_GE(out_of_memory, 2) << platform << ", " << policy->name;
    }
  }
}

TEST(SessionTest, EveryOwnerAndHeapMayBeTheOneTooMany) {
  const Stream stream = example();
  const std::size_t owners =
      1 + stream.graph.pipelines.size() + stream.graph.nodes.size() + stream.graph.edges.size();
  PlatformConfig config = find_platform("mtl");
  for (std::uint32_t most = 1; most <= owners; ++most) {
    config.max_owners = most;
    EXPECT_EQ(leaves_nothing(config, kElasticPolicy, stream), most == owners) << most << " owners";
  }
  config = find_platform("mtl");
  const std::uint32_t at_boot = heaps_at_boot(config, kElasticPolicy);
  const std::size_t heaps = at_boot + stream.graph.pipelines.size();
  for (std::uint32_t most = at_boot; most <= heaps; ++most) {
    config.max_heaps = most;
    EXPECT_EQ(leaves_nothing(config, kElasticPolicy, stream), most == heaps) << most << " heaps";
  }
}

TEST(SessionTest, EveryMappingMayBeTheOneThatIsRefused) {
  const Stream stream = example();
  bool fitted = false;
  for (std::uint64_t maps = 0; !fitted; ++maps) {
    System system(find_platform("mtl"), kElasticPolicy);
    const State before = state_of(system);
    Session session(system, stream.topology, stream.graph);
    system.port().fail_maps_after(maps);
    fitted = live(session);
    system.port().fail_maps_after(HostPort::kNever);
    ASSERT_EQ(state_of(system), before) << maps;
    ASSERT_EQ(fitted, !system.first_failure().has_value()) << maps;
    ASSERT_LT(maps, 100U);
  }
}

TEST(SessionTest, WhatCannotFitIsExplained) {
  const Stream stream(load_topology(test_topology("too-large")));
  for (const Policy* policy : kPolicies) {
    if (!boots(find_platform("mcu"), *policy)) {
      continue;
    }
    System system(find_platform("mcu"), *policy);
    const State before = state_of(system);
    Session session(system, stream.topology, stream.graph);
    try {
      session.set_up();
      FAIL() << "600 KiB fitted into 384";
    } catch (const OutOfMemory& error) {
      EXPECT_STREQ(error.what(), "creating stand-in.1.2");
    }
    const FailureNote& failure = system.first_failure().value();
    EXPECT_EQ(failure.owner, "stand-in.1.2");
    EXPECT_EQ(failure.owner_id, 0x10002U);
    EXPECT_EQ(failure.figures.bytes, 614400U);
    EXPECT_EQ(failure.figures.reason, FailureReason::pool);
    EXPECT_LT(failure.figures.largest_request, failure.figures.bytes);
    EXPECT_LE(failure.figures.largest_request, failure.figures.free_bytes);
    EXPECT_EQ(failure.top_owners.at(0).name, "stand-in.1.1");
    // What is set up so far can be looked at.
    const std::vector<ModuleReport> modules = session.modules();
    ASSERT_EQ(modules.size(), 3U);
    EXPECT_EQ(modules[2].name, "stand-in.1.2");
    EXPECT_EQ(modules[2].failures, 1U);
    ASSERT_EQ(session.pipelines().size(), 1U);
    EXPECT_EQ(session.pipelines()[0].failures, 1U);
    session.tear_down();
    EXPECT_EQ(state_of(system), before);
  }
}

TEST(SessionTest, AWidgetThatMakesNoSenseIsNamedWithItsFile) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b", WidgetType::pga, kGainUuid);
  maker.last().gain = GainSettings{.curve_type = 77};
  maker.sink("c").route({"a", "b", "c"});
  const Stream stream(maker.made());
  System system(find_platform("mtl"), kElasticPolicy);
  const State before = state_of(system);
  {
    Session session(system, stream.topology, stream.graph);
    try {
      session.set_up();
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("made.tplg: ", 0), 0U) << message;
      EXPECT_EQ(message.find("made.tplg", 1), std::string::npos) << message;
      EXPECT_NE(message.find("'b'"), std::string::npos) << message;
    }
  }
  EXPECT_EQ(state_of(system), before);
}

// --- while it plays ---

TEST(SessionTest, TheAudioPathAllocatesNothing) {
  for (const auto& file : {example_topology("playback-and-capture"), test_topology("exact"),
                           test_topology("rate-change"), test_topology("too-large")}) {
    const Stream stream(load_topology(file));
    System system(find_platform("mtl"), kElasticPolicy);
    Session session(system, stream.topology, stream.graph);
    session.set_up();
    const std::uint64_t host = host_allocations_on_audio_path();
    const State before = state_of(system);
    run(session, 50);
    EXPECT_EQ(host_allocations_on_audio_path(), host) << file;
    EXPECT_EQ(system.memory().audio_path_calls(), 0U) << file;
    EXPECT_EQ(state_of(system), before) << file;
    EXPECT_EQ(session.xruns(), 0U) << file;
  }
}

TEST(SessionTest, ARingIsShortOfOnePeriodAtItsStart) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b").module("c").sink("d");
  maker.route({"a", "b", "c", "d"}).route({"c", "b"});
  const Stream stream(maker.made());
  System system(find_platform("mtl"), kElasticPolicy);
  Session session(system, stream.topology, stream.graph);
  for (int life = 0; life < 2; ++life) {
    session.set_up();
    run(session, 10);
    EXPECT_EQ(session.xruns(), 1U);
    session.tear_down();
  }
}

TEST(SessionTest, ReportsAddUp) {
  const Stream stream = example();
  for (const Policy* policy : kPolicies) {
    System system(find_platform("mtl"), *policy);
    Session session(system, stream.topology, stream.graph);
    session.set_up();
    run(session, 5);
    const std::vector<PipelineReport> pipelines = session.pipelines();
    const std::vector<ModuleReport> modules = session.modules();
    ASSERT_EQ(pipelines.size(), stream.graph.pipelines.size());
    ASSERT_EQ(modules.size(), stream.graph.nodes.size());
    std::size_t live = 0;
    for (const PipelineReport& pipeline : pipelines) {
      live += pipeline.live_bytes;
      std::size_t of_modules = 0;
      for (const ModuleReport& module : modules) {
        EXPECT_EQ(module.pipeline, module.id >> 16);
        of_modules += module.pipeline == pipeline.id ? module.live_bytes : 0;
        EXPECT_GT(module.live_bytes, 0U) << module.name;
        EXPECT_LE(module.live_bytes, module.peak_live_bytes) << module.name;
      }
      // The rest are buffers and the pipeline's own record.
      EXPECT_LT(of_modules, pipeline.live_bytes);
      EXPECT_LE(pipeline.live_bytes, pipeline.peak_live_bytes);
      EXPECT_EQ(pipeline.mapped_bytes != 0, policy->pipeline != HeapKind::none);
      EXPECT_EQ(pipeline.failures, 0U);
    }
    EXPECT_EQ(live, system.memory().system().tree);
    std::size_t in_heaps = 0;
    std::size_t mapped = 0;
    system.memory().for_each_heap([&](const HeapReport& heap) {
      in_heaps += heap.live_bytes;
      mapped += heap.mapped_bytes;
    });
    EXPECT_EQ(in_heaps, live);
    EXPECT_EQ(mapped, system.mapped_bytes());
    EXPECT_TRUE(std::is_sorted(modules.begin(), modules.end(),
                               [](const auto& a, const auto& b) { return a.id < b.id; }));
  }
}

TEST(SessionTest, PlaceholdersAreMarked) {
  const Stream stream(load_topology(test_topology("too-large")));
  System system(find_platform("mtl"), kElasticPolicy);
  Session session(system, stream.topology, stream.graph);
  session.set_up();
  const std::vector<ModuleReport> modules = session.modules();
  ASSERT_EQ(modules.size(), 4U);
  const bool expected[] = {false, true, true, false};
  for (std::size_t i = 0; i < modules.size(); ++i) {
    EXPECT_EQ(modules[i].placeholder, expected[i]) << modules[i].name;
    EXPECT_EQ(modules[i].uuid.size(), 36U);
  }
  EXPECT_EQ(modules[1].uuid, to_string(kMadeUpUuid));
  EXPECT_GE(modules[2].live_bytes, 614400U);
}

// --- files of others ---

TEST(SessionTest, DamagedTopologiesLeaveNothingBehind) {
  std::vector<const Policy*> policies;
  std::copy_if(kPolicies.begin(), kPolicies.end(), std::back_inserter(policies),
               [](const Policy* policy) { return boots(find_platform("mcu"), *policy); });
  std::mt19937 random(20240229);
  int ran = 0;
  for (const auto& file :
       {example_topology("playback-and-capture"), test_topology("rate-change")}) {
    const std::vector<std::byte> whole = read_file(file);
    for (int round = 0; round < 400; ++round) {
      std::vector<std::byte> bytes = whole;
      for (auto flips = 1 + random() % 3; flips > 0; --flips) {
        bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << random() % 8);
      }
      System system(find_platform("mcu"), *policies[random() % policies.size()]);
      const State before = state_of(system);
      try {
        const Stream stream(parse_topology(bytes, "damaged.tplg"));
        Session session(system, stream.topology, stream.graph);
        ran += live(session) ? 1 : 0;
      } catch (const InputError& error) {
        ASSERT_EQ(std::string(error.what()).rfind("damaged.tplg: ", 0), 0U) << error.what();
      }
      ASSERT_EQ(state_of(system), before) << file << ", round " << round;
    }
  }
  // Most damage is in names and settings.
  EXPECT_GT(ran, 100);
}

TEST(SessionTest, ProductionFilesFitTheirPlatformsAndLeaveNothing) {
  const auto files = production_topologies();
  if (files.empty()) {
    GTEST_SKIP() << "no production topologies: set MODMEM_SHARED";
  }
  for (const auto& file : files) {
    const Stream stream(load_topology(file));
    const PlatformConfig& platform = platform_of_topology(file.filename().string());
    for (const Policy* policy : kPolicies) {
      const bool fitted = leaves_nothing(platform, *policy, stream);
      EXPECT_TRUE(fitted || policy != &kElasticPolicy) << file;
      if (boots(find_platform("mcu"), *policy)) {
        leaves_nothing(find_platform("mcu"), *policy, stream);
      }
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
