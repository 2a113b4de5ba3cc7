#include "trace/trace_directory.hpp"

#include <string>
#include <system_error>
#include <utility>

#include "trace/trace_error.hpp"

namespace modmem::trace {

TraceDirectory::TraceDirectory(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  made_ = std::filesystem::create_directory(path_, error);
  const bool is_empty = !error && std::filesystem::is_empty(path_, error);
  if (error) {
    throw TraceError(path_.string() + ": " + error.message());
  }
  if (!is_empty) {
    throw TraceError(path_.string() + ": is not empty");
  }
}

TraceDirectory::~TraceDirectory() {
  if (kept_) {
    return;
  }
  // It was empty: all that is in it belongs to the trace.
  std::error_code ignored;
  if (made_) {
    std::filesystem::remove_all(path_, ignored);
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
    std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace modmem::trace
