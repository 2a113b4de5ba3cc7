#include "trace/site_names.hpp"

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "trace/place_table.hpp"

namespace modmem::trace {

namespace {

class Names {
 public:
  const char* name(std::string_view name) {
    constexpr std::size_t kMost = 65536;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = names_.find(name);
    if (found != names_.end()) {
      return found->c_str();
    }
    return names_.size() < kMost ? names_.emplace(name).first->c_str() : "(other)";
  }

 private:
  std::mutex mutex_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> names_;
};

}  // namespace

const char* site_name(std::string_view name) {
  static Names names;
  return names.name(name);
}

const char* owner_name(std::string_view name) {
  static Names names;
  return names.name(name);
}

}  // namespace modmem::trace
