// LivePicture: what `modmem top` shows: memory now, and how fast it changes.
//
// Rates are over the audio since the picture before, a second of which is a thousand periods. An
// owner is counted as long as it lives; what one of them did in the period in which it ended is not
// in the rates. Cost: O(owners) a period, O(owners + banks) a picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "testbench/run.hpp"
#include "tools/screen.hpp"

namespace modmem::tools {

class LivePicture {
 public:
  explicit LivePicture(std::string title) : title_(std::move(title)) {}

  // Counts what has happened since the call before. After every period.
  void note(const testbench::System& system, std::uint64_t period);

  // The picture of now, of at most `size`; the run has `total` periods, and `speed` stands at the
  // end of its first line.
  std::vector<ScreenLine> draw(const testbench::System& system, const testbench::Session& session,
                               std::uint64_t total, Screen::Size size, const std::string& speed);

 private:
  struct Counts {
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t failures = 0;
    std::uint64_t drawn = 0;  // allocations in the picture before
  };
  struct Row {
    const Owner* owner = nullptr;
    std::size_t depth = 0;
    double rate = 0;  // allocations a second
  };

  void count(const Owner& owner);
  void add_rows(const Owner& owner, std::size_t depth);
  void leave_out_small_ones(std::size_t room);
  void draw_banks(const PagePool& pool, Screen::Size size);
  void draw_streams(const testbench::Session& session, std::size_t columns);
  void draw_owners(const Memory& memory, Screen::Size size);
  double a_second(std::uint64_t events) const;
  void add(std::string text, ScreenLine::Look look = ScreenLine::Look::plain);

  std::string title_;
  std::uint64_t period_ = 0;
  std::uint64_t drawn_ = 0;                           // period of the picture before
  std::unordered_map<std::uint16_t, Counts> counts_;  // by handle
  Counts all_;
  Counts all_drawn_;
  std::vector<Row> rows_;
  std::size_t left_out_ = 0;
  std::vector<ScreenLine> lines_;
};

}  // namespace modmem::tools
