// InstructionMeter: counts the instructions of single operations, for programs that run under
// callgrind; elsewhere it counts nothing.
//
// Counting is exact and the same in every run, so unlike times its figures can decide something.
// What begin() and end() themselves cost is in each count, the same everywhere: measure an empty
// operation and subtract.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace modmem::bench {

class InstructionMeter {
 public:
  // Counting starts; ends and is written down as `label`. What is done between pause() and resume()
  // is not counted; both do nothing outside of begin() and end().
  static void begin();
  // The same where functions are `apart`, which are counted outside of begin() and end().
  static void begin_from_zero();
  static void end(const char* label);
  static void pause();
  static void resume();

  // end() in two: what is counted between several begin() and interrupt() adds up until it is
  // written down.
  static void interrupt();
  static void write_down(const char* label);

  // Label -> counts in order. Runs this very program again, with `arguments`, under valgrind. What
  // is done within the functions `apart` (patterns of callgrind's) is not counted; pause() must not
  // be called there. Throws InputError where valgrind is not there or fails.
  using Counts = std::map<std::string, std::vector<double>>;
  static Counts count(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& apart = {});

  // What a file of callgrind's with one part for each end() says. Throws InputError where it can't
  // be read.
  static Counts read(const std::string& path);
};

// The label of operations that do nothing.
inline constexpr const char* kEmptyOperation = "empty";

// Counts an empty operation.
void count_empty_operation();

// Counts of `label` without what counting costs. Throws InputError where nothing was counted.
std::vector<double> net_counts(const InstructionMeter::Counts& counts, const std::string& label);

}  // namespace modmem::bench
