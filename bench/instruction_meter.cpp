#include "bench/instruction_meter.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "testbench/input_error.hpp"

// Requests to valgrind are instructions that do nothing elsewhere; where there is no valgrind to
// compile with, there is none to run under.
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(label) static_cast<void>(label)
#endif

namespace modmem::bench {

namespace {

constexpr std::string_view kTrigger = "desc: Trigger: Client Request: ";
constexpr std::string_view kTotals = "totals: ";

bool counting = false;

// A file that nobody else writes, removed at the end.
class CountsFile {
 public:
  CountsFile()
      : path_(std::filesystem::temp_directory_path() /
              ("modmem-bench-" + std::to_string(::getpid()) + ".counts")) {}
  ~CountsFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  CountsFile(const CountsFile&) = delete;
  CountsFile& operator=(const CountsFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Runs a program that is looked for in PATH; whether it ended with status 0.
bool succeeds(std::vector<std::string> words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
    return false;
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

void InstructionMeter::begin() {
  counting = true;
  CALLGRIND_TOGGLE_COLLECT;
}

void InstructionMeter::begin_from_zero() {
  CALLGRIND_ZERO_STATS;
  begin();
}

void InstructionMeter::interrupt() {
  CALLGRIND_TOGGLE_COLLECT;
  counting = false;
}

void InstructionMeter::end(const char* label) {
  interrupt();
  write_down(label);
}

void InstructionMeter::write_down(const char* label) {
  CALLGRIND_DUMP_STATS_AT(label);  // and starts from zero again
}

void InstructionMeter::pause() {
  if (counting) {
    CALLGRIND_TOGGLE_COLLECT;
  }
}

void InstructionMeter::resume() {
  if (counting) {
    CALLGRIND_TOGGLE_COLLECT;
  }
}

InstructionMeter::Counts InstructionMeter::count(const std::vector<std::string>& arguments,
                                                 const std::vector<std::string>& apart) {
  const CountsFile file;
  std::vector<std::string> words = {"valgrind",
                                    "-q",
                                    "--tool=callgrind",
                                    "--collect-atstart=no",
                                    "--combine-dumps=yes",
                                    "--callgrind-out-file=" + file.path()};
  for (const std::string& function : apart) {
    words.push_back("--toggle-collect=" + function);
  }
  words.push_back(std::filesystem::read_symlink("/proc/self/exe").string());
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (!succeeds(words)) {
    throw testbench::InputError("valgrind: counting instructions needs it, and it failed");
  }
  return read(file.path());
}

InstructionMeter::Counts InstructionMeter::read(const std::string& path) {
  std::ifstream file(path);
  Counts counts;
  std::string label;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kTrigger)) {
      label = line.substr(kTrigger.size());
    } else if (line.starts_with(kTotals) && !label.empty()) {
      counts[label].push_back(std::strtod(line.c_str() + kTotals.size(), nullptr));
      label.clear();
    }
  }
  if (counts.empty()) {
    throw testbench::InputError(path + ": no counts of instructions in it");
  }
  return counts;
}

void count_empty_operation() {
  for (int i = 0; i < 2; ++i) {
    InstructionMeter::begin();
    InstructionMeter::end(kEmptyOperation);
  }
}

std::vector<double> net_counts(const InstructionMeter::Counts& counts, const std::string& label) {
  const auto found = counts.find(label);
  const auto empty = counts.find(kEmptyOperation);
  if (found == counts.end() || empty == counts.end()) {
    throw testbench::InputError("valgrind: no instructions of '" + label + "' were counted");
  }
  const double overhead = *std::min_element(empty->second.begin(), empty->second.end());
  std::vector<double> net = found->second;
  for (double& count : net) {
    count -= overhead;
  }
  return net;
}

}  // namespace modmem::bench
