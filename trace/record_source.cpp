#include "trace/record_source.hpp"

#include <filesystem>
#include <system_error>

#include "trace/ctf_records.hpp"
#include "trace/reader.hpp"

namespace modmem::trace {

std::unique_ptr<RecordSource> open_records(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return std::make_unique<CtfRecords>(path);
  }
  return std::make_unique<Reader>(path);
}

}  // namespace modmem::trace
