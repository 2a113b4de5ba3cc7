// Exploration: every state that any sequence of operations leads to, each looked at once.
//
// A state is known by its key, a text that says all that later operations depend on; what it takes
// to be in that state again is the caller's `Node`. The states nearest to the first come first, so
// what is found wrong is found by a shortest sequence.
//
// Cost: one step for each state that is not beyond the depth, memory for all keys and the nodes
// that wait.
#pragma once

#include <cstdint>
#include <cstdio>
#include <queue>
#include <string>
#include <unordered_set>
#include <utility>

namespace modmem {

struct Exploration {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint32_t depth = 0;  // of the states that are the furthest
  bool complete = false;    // no state lies deeper

  void print(const char* what) const {
    std::printf("%s: %llu states, %llu transitions, depth %u%s\n", what,
                static_cast<unsigned long long>(states),
                static_cast<unsigned long long>(transitions), depth,
                complete ? ", all that there are" : "");
  }
};

// Calls step(node, offer) for each state that at most `depth` - 1 operations lead to; it does every
// operation and calls offer(key, node) for what came of each.
template <typename Node, typename Step>
Exploration explore(std::string key, Node first, std::uint32_t depth, Step step) {
  Exploration done;
  std::unordered_set<std::string> known{std::move(key)};
  std::queue<std::pair<Node, std::uint32_t>> waiting;
  waiting.emplace(std::move(first), 0);
  bool beyond = false;
  while (!waiting.empty()) {
    const auto [node, distance] = std::move(waiting.front());
    waiting.pop();
    if (distance == depth) {
      beyond = true;
      continue;
    }
    step(node, [&, at = distance + 1](std::string next, Node there) {
      ++done.transitions;
      if (known.insert(std::move(next)).second) {
        waiting.emplace(std::move(there), at);
        done.depth = at;
      }
    });
  }
  done.states = known.size();
  done.complete = !beyond;
  return done;
}

}  // namespace modmem
