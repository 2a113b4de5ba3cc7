// CoreCaches: a data cache for each core, write-back, and no coherence between them.
//
// A model: what a core loads and stores is told, line by line, and memory is what lies at the
// address given, from where lines are fetched and to where they are written. A cache has room for
// all lines; which of them are evicted, and when, is random by the seed, so the same calls give the
// same evictions.
//
// Of a line that a core's cache has:
//
//   clean: content = what memory held when it was fetched or written back
//   dirty: the core stored to it since; memory gets it by write_back() or evict()
//
// A line that is written over what somebody else wrote to memory since it was fetched is told
// apart (Written::over_others): that is a lost update. Stores of the value that was there already
// are not seen: a line is dirty where its content changed.
//
// Cost: O(bytes of a line) per call; bytes of memory, and a sixth more, for each core, of which
// only what is touched is taken. No allocation but by the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace modmem::testbench {

// Copies whole words, whatever a checker of memory accesses thinks of them.
void copy_words(std::byte* to, const std::byte* from, std::size_t bytes);
bool same_words(const std::byte* one, const std::byte* other, std::size_t bytes);

class CoreCaches {
 public:
  enum class State : std::uint8_t { absent, clean, dirty };
  enum class Written : std::uint8_t { nothing, line, over_others };

  // Line numbers count from `memory`, which has `bytes` bytes, a multiple of `line_bytes`, a
  // multiple of 8.
  CoreCaches(std::byte* memory, std::size_t bytes, std::size_t line_bytes, std::uint32_t cores,
             std::uint64_t seed);

  std::size_t line_bytes() const { return line_bytes_; }
  std::uint32_t cores() const { return cores_; }
  State state(std::uint32_t core, std::size_t line) const { return states_[at(core, line)]; }

  // What the core sees there: fetched where its cache has not got it. The line must be accessible
  // in memory.
  const std::byte* load(std::uint32_t core, std::size_t line);

  // The line as the core left it; it is in its cache. Returns whether it was clean before and is
  // dirty now.
  bool store(std::uint32_t core, std::size_t line, const std::byte* content);

  // Writes the line to memory where it is dirty; it is clean then.
  Written write_back(std::uint32_t core, std::size_t line);

  // Forgets the line, dirty or not.
  void invalidate(std::uint32_t core, std::size_t line);

  // Has the core's cache a clean line that memory holds otherwise now?
  bool is_stale(std::uint32_t core, std::size_t line) const;

  // Another core than that one whose cache has the line dirty.
  std::optional<std::uint32_t> dirty_elsewhere(std::uint32_t core, std::size_t line) const;

  // True once in `one_in` times, at random.
  bool chance(std::uint32_t one_in) { return random() % one_in == 0; }
  // A number below `limit`, at random.
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  template <typename T>
  using Table = std::unique_ptr<T[], Free>;

  template <typename T>
  static Table<T> make_table(std::size_t count);
  std::size_t at(std::uint32_t core, std::size_t line) const { return core * lines_ + line; }
  std::byte* content(std::size_t index) const { return contents_.get() + index * line_bytes_; }
  std::byte* memory(std::size_t line) const { return memory_ + line * line_bytes_; }
  std::uint64_t hash(const std::byte* words) const;
  std::uint64_t random();

  std::byte* memory_;
  std::size_t line_bytes_;
  std::size_t lines_;
  std::uint32_t cores_;
  std::uint64_t random_;
  Table<State> states_;
  Table<std::byte> contents_;
  Table<std::uint64_t> fetched_;  // the hash of what memory held when it was last the same
};

}  // namespace modmem::testbench
