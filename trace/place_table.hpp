// PlaceTable: gives things with names the smallest free place, and finds them by name.
//
// Invariant: the places in use and the free ones are 0 to the most that were in use at a time.
// Cost: O(1) on average.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace modmem::trace {

template <typename Key, typename Hash = std::hash<Key>, typename Equal = std::equal_to<>>
class PlaceTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // The place of `key`, kNone where it has none.
  template <typename Like>
  std::uint32_t find(const Like& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? kNone : found->second;
  }

  // A place for `key`, which has none.
  template <typename Like>
  std::uint32_t add(const Like& key) {
    std::uint32_t place = next_;
    if (free_.empty()) {
      ++next_;
    } else {
      place = free_.back();
      free_.pop_back();
    }
    places_.emplace(Key(key), place);
    return place;
  }

  // `key`, which has a place, gives it back.
  template <typename Like>
  void remove(const Like& key) {
    const auto found = places_.find(key);
    free_.push_back(found->second);
    places_.erase(found);
  }

  std::size_t size() const { return places_.size(); }
  auto begin() const { return places_.begin(); }
  auto end() const { return places_.end(); }
  void clear() {
    places_.clear();
    free_.clear();
    next_ = 0;
  }

 private:
  std::unordered_map<Key, std::uint32_t, Hash, Equal> places_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_ = 0;
};

// Finds strings by what they look like.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

}  // namespace modmem::trace
