// Events of a trace for several players, which read it once.
//
// The user is heard (InterruptGuard) after each batch of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tools/interrupt.hpp"
#include "tools/progress.hpp"
#include "trace/ctf_events.hpp"
#include "trace/event.hpp"

namespace modmem::tools {

inline constexpr std::size_t kBatch = 16384;  // events that one player after the other plays

// Gives all of `source` to each of so many players: play(player, events), a batch at a time. Throws
// what that throws, TraceError as the source does, and Interrupted.
template <typename Play>
void play_batches(trace::EventSource& source, std::size_t players, ProgressLine& line,
                  const Play& play) {
  std::vector<trace::Event> events(kBatch);
  while (const std::size_t count = source.read(events)) {
    for (std::size_t player = 0; player < players; ++player) {
      InterruptGuard::check();
      play(player, std::span(events).first(count));
    }
    line.show_share(source.done(), source.total());
  }
}

// Gives all of a recorded trace, event by event: play(event). Throws likewise.
template <typename Play>
void play_events(trace::CtfEvents& events, const Play& play) {
  trace::CtfEvent event;
  for (std::uint64_t count = 0; events.next(event); ++count) {
    play(event);
    if (count % kBatch == 0) {
      InterruptGuard::check();
    }
  }
}

}  // namespace modmem::tools
