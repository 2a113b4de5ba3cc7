#include "trace/site_names.hpp"

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "trace/place_table.hpp"

namespace modmem::trace {

const char* site_name(std::string_view name) {
  constexpr std::size_t kMost = 65536;
  static std::mutex mutex;
  static std::unordered_set<std::string, TextHash, std::equal_to<>> names;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = names.find(name);
  if (found != names.end()) {
    return found->c_str();
  }
  return names.size() < kMost ? names.emplace(name).first->c_str() : "(other)";
}

}  // namespace modmem::trace
