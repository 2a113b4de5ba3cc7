// Where tests find the topologies that do not lie in the repository, and other programs' opinions.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#ifndef MODMEM_SOURCE_DIR
#error "the build defines MODMEM_SOURCE_DIR, MODMEM_EXAMPLES_DIR and MODMEM_PYTHON for these tests"
#endif

namespace modmem::testbench {

inline std::filesystem::path example_topology(const std::string& name) {
  return std::filesystem::path(MODMEM_EXAMPLES_DIR) / (name + ".tplg");
}

// The production topologies, sorted by name: those in the folder `topologies` under
// $MODMEM_SHARED, else in `shared` beside the repository. Empty where they are not there.
inline std::vector<std::filesystem::path> production_topologies() {
  const char* shared = std::getenv("MODMEM_SHARED");
  const std::filesystem::path folder =
      (shared != nullptr ? std::filesystem::path(shared)
                         : std::filesystem::path(MODMEM_SOURCE_DIR).parent_path() / "shared") /
      "topologies";
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".tplg") {
        paths.push_back(entry.path());
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

// A path for a temporary file of this process.
inline std::filesystem::path temporary_path(const std::string& suffix) {
  return std::filesystem::temp_directory_path() /
         ("modmem-test-" + std::to_string(::getpid()) + suffix);
}

// `text` as one word of a shell command.
inline std::string quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

struct CommandResult {
  int status = -1;
  std::string output;
};

// Runs `command` in a shell; its errors go nowhere.
inline CommandResult run_command(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) {
    return result;
  }
  std::array<char, 4096> buffer{};
  for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.output.append(buffer.data(), count);
  }
  result.status = ::pclose(pipe);
  return result;
}

}  // namespace modmem::testbench
