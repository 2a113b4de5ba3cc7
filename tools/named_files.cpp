#include "tools/named_files.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "testbench/audio/temporary_file.hpp"
#include "testbench/input_error.hpp"

namespace modmem::tools {

namespace {

// A name that is the same for all names of a file, whether it is there or not.
std::filesystem::path place_of(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(testbench::end_of_links(path), error);
  const auto resolved = std::filesystem::weakly_canonical(absolute, error);
  const auto place = error ? absolute.lexically_normal() : resolved;
  return place.has_filename() ? place : place.parent_path();  // of a directory, with a / behind
}

// Whether something is lost by writing over it.
bool is_kept(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  return path != "-" &&
         (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status) ||
          std::filesystem::is_directory(status));
}

bool lies_in(const std::string& path, const std::string& directory) {
  const std::filesystem::path inner = place_of(path);
  const std::filesystem::path outer = place_of(directory);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

bool NamedFiles::are_same(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored) || place_of(a) == place_of(b);
}

void NamedFiles::reads(const std::string& option, const std::string& path) {
  std::error_code ignored;
  add({option, path, false, std::filesystem::is_directory(path, ignored)});
}

void NamedFiles::writes(const std::string& option, const std::string& path) {
  add({option, path, true, false});
}

void NamedFiles::writes_trace(const std::string& option, const std::string& path) {
  add({option, path, true, true});
}

void NamedFiles::add(Named file) {
  if (!is_kept(file.path)) {
    return;
  }
  for (const Named& other : files_) {
    const auto refuse = [](const Named& written, const std::string& reason, const Named& second) {
      throw testbench::InputError(written.option + " " + written.path + ": " + reason + " " +
                                  second.option + " " + second.path);
    };
    const Named& written = file.written ? file : other;
    const Named& second = file.written ? other : file;
    if (!written.written) {
      continue;
    }
    if (are_same(file.path, other.path)) {
      refuse(written, "is the same file as", second);
    }
    if (second.trace && lies_in(written.path, second.path)) {
      refuse(written, "would lie in the trace", second);
    }
    if (written.trace && second.written && lies_in(second.path, written.path)) {
      refuse(second, "would lie in the trace", written);
    }
  }
  files_.push_back(std::move(file));
}

NamedFiles name_files(const std::string& option, const std::vector<std::string>& paths) {
  NamedFiles files;
  for (const std::string& path : paths) {
    files.reads(option, path);
  }
  return files;
}

}  // namespace modmem::tools
