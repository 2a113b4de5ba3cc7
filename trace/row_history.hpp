// RowHistory: the history of rows, which a Replay plays.
#pragma once

#include <span>
#include <string>

#include "trace/event.hpp"
#include "trace/history.hpp"
#include "trace/replay.hpp"

namespace modmem::trace {

class RowHistory final : public History {
 public:
  // Throws TraceError as Replay does.
  RowHistory(const PlatformConfig& platform, const Policy& policy);

  // Plays `events`, which follow those of the call before.
  void play(std::span<const Event> events);

  const Memory& memory() const override { return replay_.memory(); }
  ReplayFigures figures() const override { return replay_.figures(); }

 private:
  const Owner* owner(std::uint32_t place) const override { return replay_.owner(place); }
  const std::byte* address(std::uint32_t block) const override { return replay_.address(block); }
  std::string holder_name(const Failure::TopOwner& owner) const override;

  void play_one(const Event& event);

  Replay replay_;
};

}  // namespace modmem::trace
