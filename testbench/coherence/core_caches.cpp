#include "testbench/coherence/core_caches.hpp"

#include <cstdlib>
#include <new>

#include "base/check.hpp"

namespace modmem::testbench {

namespace {

using Word [[gnu::may_alias]] = std::uint64_t;

// A step of splitmix64: every value gives another one.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15U;

}  // namespace

// Volatile, so that neither becomes a call of a function that a checker looks into.
[[gnu::no_sanitize_address]] void copy_words(std::byte* to, const std::byte* from,
                                             std::size_t bytes) {
  auto* const target = reinterpret_cast<volatile Word*>(to);
  const auto* const source = reinterpret_cast<const volatile Word*>(from);
  for (std::size_t i = 0; i < bytes / sizeof(Word); ++i) {
    target[i] = source[i];
  }
}

[[gnu::no_sanitize_address]] bool same_words(const std::byte* one, const std::byte* other,
                                             std::size_t bytes) {
  const auto* const first = reinterpret_cast<const volatile Word*>(one);
  const auto* const second = reinterpret_cast<const volatile Word*>(other);
  for (std::size_t i = 0; i < bytes / sizeof(Word); ++i) {
    if (first[i] != second[i]) {
      return false;
    }
  }
  return true;
}

void CoreCaches::Free::operator()(void* memory) const { std::free(memory); }

// Zeroes that take memory only where they are written.
template <typename T>
CoreCaches::Table<T> CoreCaches::make_table(std::size_t count) {
  auto* const table = static_cast<T*>(std::calloc(count, sizeof(T)));
  if (table == nullptr) {
    throw std::bad_alloc();
  }
  return Table<T>(table);
}

CoreCaches::CoreCaches(std::byte* memory, std::size_t bytes, std::size_t line_bytes,
                       std::uint32_t cores, std::uint64_t seed)
    : memory_(memory),
      line_bytes_(line_bytes),
      lines_(bytes / line_bytes),
      cores_(cores),
      random_(seed),
      states_(make_table<State>(cores * lines_)),
      contents_(make_table<std::byte>(cores * bytes)),
      fetched_(make_table<std::uint64_t>(cores * lines_)) {
  MODMEM_ASSERT(line_bytes % sizeof(Word) == 0 && bytes % line_bytes == 0);
}

const std::byte* CoreCaches::load(std::uint32_t core, std::size_t line) {
  const std::size_t index = at(core, line);
  if (states_[index] == State::absent) {
    copy_words(content(index), memory(line), line_bytes_);
    fetched_[index] = hash(content(index));
    states_[index] = State::clean;
  }
  return content(index);
}

bool CoreCaches::store(std::uint32_t core, std::size_t line, const std::byte* stored) {
  const std::size_t index = at(core, line);
  MODMEM_ASSERT(states_[index] != State::absent);
  if (same_words(content(index), stored, line_bytes_)) {
    return false;
  }
  copy_words(content(index), stored, line_bytes_);
  const bool was_clean = states_[index] == State::clean;
  states_[index] = State::dirty;
  return was_clean;
}

CoreCaches::Written CoreCaches::write_back(std::uint32_t core, std::size_t line) {
  const std::size_t index = at(core, line);
  if (states_[index] != State::dirty) {
    return Written::nothing;
  }
  const std::uint64_t before = hash(memory(line));
  copy_words(memory(line), content(index), line_bytes_);
  const std::uint64_t after = hash(content(index));
  // What somebody else wrote there is the same where both wrote the same.
  const bool over_others = before != fetched_[index] && before != after;
  fetched_[index] = after;
  states_[index] = State::clean;
  return over_others ? Written::over_others : Written::line;
}

void CoreCaches::invalidate(std::uint32_t core, std::size_t line) {
  states_[at(core, line)] = State::absent;
}

bool CoreCaches::is_stale(std::uint32_t core, std::size_t line) const {
  const std::size_t index = at(core, line);
  return states_[index] == State::clean && !same_words(content(index), memory(line), line_bytes_);
}

std::optional<std::uint32_t> CoreCaches::dirty_elsewhere(std::uint32_t core,
                                                         std::size_t line) const {
  for (std::uint32_t other = 0; other < cores_; ++other) {
    if (other != core && states_[at(other, line)] == State::dirty) {
      return other;
    }
  }
  return std::nullopt;
}

[[gnu::no_sanitize_address]] std::uint64_t CoreCaches::hash(const std::byte* words) const {
  const auto* const source = reinterpret_cast<const volatile Word*>(words);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < line_bytes_ / sizeof(Word); ++i) {
    sum = mixed(sum + kStep + source[i]);
  }
  return sum;
}

std::uint64_t CoreCaches::random() { return mixed(random_ += kStep); }

}  // namespace modmem::testbench
