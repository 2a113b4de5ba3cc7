// modmem-stress: threads that use one Memory in every way that is allowed, for as long as it is
// told to, until something does not hold.
//
// A run is rounds, one policy after the other. In a round each thread makes random calls on a core
// of its own, in phases; between phases everything is checked and compacted while all threads wait,
// and at the end of the round everything ends, of which nothing may be left. What does not hold is
// said with the seed and ends the program with abort(); with one thread the same seed is the same
// round, with several it is the same calls in another interleaving.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "modmem/presets.hpp"
#include "stress/actor.hpp"
#include "stress/finding.hpp"
#include "testbench/input_error.hpp"
#include "tools/arguments.hpp"

namespace modmem::stress {
namespace {

constexpr int kBadInput = 2;
constexpr std::uint64_t kMostOperations = 1'000'000'000'000;
constexpr std::uint64_t kPhaseSteps = 2000;  // of each thread
constexpr std::uint32_t kPhases = 10;
constexpr std::uint64_t kRoundSteps = kPhases * kPhaseSteps;

struct Arguments {
  std::string threads = "4";
  std::string seconds;
  std::string operations = "1000000";
  std::string seed = "1";
  std::string policy = "all";
  std::string platform = "tgl";
  std::string planted = "none";
};

struct Plan {
  std::uint32_t threads = 0;
  double seconds = 0;            // 0: as many operations as
  std::uint64_t operations = 0;  // of all threads
  std::uint64_t seed = 0;
  std::vector<const Policy*> policies;
  PlatformConfig platform;
  Planted planted = Planted::none;
};

[[noreturn]] void refuse(const std::string& why) { throw testbench::InputError(why); }

std::vector<const Policy*> parse_policies(const std::string& name) {
  if (name == "all") {
    return {kPolicies.begin(), kPolicies.end()};
  }
  const Policy* policy = find_policy(name.c_str());
  if (policy == nullptr) {
    refuse("--policy " + name + ": unknown");
  }
  return {policy};
}

PlatformConfig parse_platform(const std::string& name, std::uint32_t threads) {
  for (const PlatformConfig& platform : config::kPresets) {
    if (name == platform.name) {
      if (platform.cores < threads) {
        refuse("--platform " + name + ": has " + std::to_string(platform.cores) +
               " cores, one for each thread is needed");
      }
      return platform;
    }
  }
  refuse("--platform " + name + ": unknown");
}

Planted parse_planted(const std::string& name) {
  static constexpr const char* kNames[] = {"none", "overrun", "free-twice", "leak"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) {
      return static_cast<Planted>(i);
    }
  }
  refuse("--plant " + name + ": unknown");
}

Plan parse(const Arguments& arguments) {
  Plan plan;
  plan.threads =
      static_cast<std::uint32_t>(tools::parse_count("--threads", arguments.threads, 1, 16));
  plan.seconds =
      arguments.seconds.empty() ? 0 : tools::parse_seconds("--seconds", arguments.seconds);
  plan.operations = tools::parse_count("--operations", arguments.operations, 1, kMostOperations);
  plan.seed = tools::parse_count("--seed", arguments.seed, 0, UINT64_MAX / 2000);
  plan.policies = parse_policies(arguments.policy);
  plan.platform = parse_platform(arguments.platform, plan.threads);
  plan.planted = parse_planted(arguments.planted);
  return plan;
}

// Calls body(actor) for each, in threads of their own, on cores of their own.
template <typename Body>
void in_threads(const Policy& policy, std::uint64_t seed, std::vector<Actor>& actors, Body body) {
  std::vector<std::thread> threads;
  threads.reserve(actors.size());
  for (std::uint32_t number = 0; number < actors.size(); ++number) {
    threads.emplace_back([&, number] {
      set_host_core(number);
      Place::enter(policy.name, seed, number);
      body(actors[number]);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

Counters play_round(const Plan& plan, const Policy& policy, std::uint64_t seed,
                    std::uint64_t steps) {
  SharedState state(plan.platform, policy, plan.threads, seed, plan.planted);
  Place::enter(policy.name, seed, 0);
  std::vector<Actor> actors;
  actors.reserve(plan.threads);
  for (std::uint32_t number = 0; number < plan.threads; ++number) {
    actors.emplace_back(state, number);
  }
  // Runs in one of the threads, while the others wait.
  const auto check = [&]() noexcept {
    for (const Actor& actor : actors) {
      actor.check_blocks();
    }
    for (std::uint32_t number = 0; number < plan.threads; ++number) {
      state.mailbox(number).for_each([](const Block& block) {
        expect(block.is_intact(), "a block's content changed on its way");
      });
    }
    state.check_and_compact();
    for (const Actor& actor : actors) {
      actor.check_blocks();
    }
  };
  std::barrier barrier(static_cast<std::ptrdiff_t>(plan.threads), check);
  in_threads(policy, seed, actors, [&](Actor& actor) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      actor.step();
      if (step % kPhaseSteps == 0) {
        barrier.arrive_and_wait();
      }
    }
  });
  in_threads(policy, seed, actors, [](Actor& actor) { actor.clean_mailbox(); });
  in_threads(policy, seed, actors, [](Actor& actor) { actor.end(); });
  Counters total;
  for (const Actor& actor : actors) {
    total.add(actor.counters());
  }
  expect(state.observer().faults == total.misuses, "faults that nobody made");
  state.finish();
  return total;
}

void print(const char* policy, std::uint64_t rounds, const Counters& counters) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%s: %llu rounds, %llu operations (%llu refused for want of memory), %llu blocks freed by "
      "other threads, %llu owners ended (%llu with blocks waiting for their core), %llu regions, "
      "%llu copies, %llu objects, %llu misuses refused\n",
      policy, number(rounds), number(counters.operations), number(counters.refused),
      number(counters.remote_frees), number(counters.owners_ended),
      number(counters.ended_with_queue), number(counters.regions_ended), number(counters.copies),
      number(counters.objects), number(counters.misuses));
}

int play(const Plan& plan) {
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  std::vector<Counters> counters(plan.policies.size());
  Counters total;
  std::uint64_t rounds = 0;
  // Of several policies each has its turn.
  const std::uint64_t share =
      divide_up(plan.operations, std::uint64_t{plan.threads} * plan.policies.size());
  const std::uint64_t steps = plan.seconds != 0 ? kRoundSteps : std::min(share, kRoundSteps);
  do {
    const std::uint64_t seed = plan.seed + rounds / plan.policies.size();
    const std::size_t at = rounds % plan.policies.size();
    const Counters round = play_round(plan, *plan.policies[at], seed, steps);
    counters[at].add(round);
    total.add(round);
    ++rounds;
  } while (rounds < plan.policies.size() ||
           (plan.seconds != 0 ? seconds() < plan.seconds : total.operations < plan.operations));
  for (std::size_t at = 0; at < plan.policies.size(); ++at) {
    print(plan.policies[at]->name,
          rounds / plan.policies.size() + (at < rounds % plan.policies.size() ? 1 : 0),
          counters[at]);
  }
  print("all", rounds, total);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Has threads use one Memory in every way that is allowed, until something does not hold.",
      "modmem-stress");
  Arguments arguments;
  app.add_option("--threads", arguments.threads, "threads, each on a core of its own (4)");
  auto* seconds = app.add_option("--seconds", arguments.seconds, "how long");
  app.add_option("--operations", arguments.operations,
                 "in place of a time: how many operations, all threads together (1000000)")
      ->excludes(seconds);
  app.add_option("--seed", arguments.seed, "of the first round (1)");
  app.add_option("--policy", arguments.policy, "one policy; default: one after the other");
  app.add_option("--platform", arguments.platform, "one with as many cores as threads (tgl)");
  // What its test runs.
  app.add_option("--plant", arguments.planted)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);
    }
    refuse(error.what());
  }
  return play(parse(arguments));
}

}  // namespace
}  // namespace modmem::stress

int main(int argc, char** argv) {
  try {
    return modmem::stress::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "modmem-stress: %s\n", error.what());
    return modmem::stress::kBadInput;
  }
}
