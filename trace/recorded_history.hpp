// RecordedHistory: the history of a recorded trace, whose calls a Rerun makes again.
//
// The place of an owner is its handle in the trace; that of a block the lowest that is free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/ctf_events.hpp"
#include "trace/history.hpp"
#include "trace/rerun.hpp"

namespace modmem::trace {

class RecordedHistory final : public History {
 public:
  // Throws TraceError as Rerun does.
  RecordedHistory(const PlatformConfig& platform, const Policy& policy);

  // Plays the next event, ahead of which the trace lacks `lost` ones.
  void play(const CtfEvent& event, std::uint64_t lost = 0);

  const Memory& memory() const override { return rerun_.memory(); }
  ReplayFigures figures() const override { return rerun_.figures(); }
  std::optional<std::uint64_t> differs() const override { return rerun_.places_differ(); }

 private:
  static constexpr std::uint64_t kNowhere = UINT64_MAX;

  using Fields = CtfEvent::Fields;

  const Owner* owner(std::uint32_t place) const override { return rerun_.owner(place); }
  const std::byte* address(std::uint32_t block) const override;
  std::string holder_name(const Failure::TopOwner& owner) const override { return owner.name; }

  void note_call(const CtfEvent& event, bool served);
  void allocate(Event event, const Fields& fields, bool served);
  void resize(Event event, const Fields& fields, bool served);
  void free(const Fields& fields);
  void begin(const Fields& fields, std::string name);
  void end(std::uint32_t place);
  void upkeep(const Fields& fields);
  void let_go(std::uint32_t place);
  std::optional<std::uint32_t> place_of(std::uint64_t handle) const;
  Event request_of(OpKind kind, const Fields& fields) const;
  std::uint32_t add_block(std::uint64_t key);
  void drop_block(std::uint32_t block);

  Rerun rerun_;
  std::uint64_t system_ = kNowhere;  // its handle
  std::string owner_name_;           // of the next owner that begins, or of a plan
  struct Planned {
    Fields fields;
    std::string name;
  };
  std::vector<Planned> planned_;  // owners that a plan is to create
  std::unordered_map<std::uint64_t, const char*> sites_;
  std::unordered_map<std::uint64_t, std::uint32_t> blocks_;  // by memory and place
  std::vector<std::uint64_t> keys_;                          // by place of block
  std::vector<std::uint32_t> free_blocks_;
};

}  // namespace modmem::trace
