// Readers of files, held to what is promised of all of them: what they refuse, they refuse with
// InputError or TraceError, and with one line that names the file.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "fuzz/fuzz_target.hpp"
#include "testbench/input_error.hpp"
#include "trace/trace_error.hpp"

namespace modmem::fuzz {

// A refusal of the input called `name`. Planted: the line that names nothing.
inline void check_refusal(std::string_view what, std::string_view name) {
  const std::string line(is_planted() && what.starts_with(name) ? what.substr(name.size()) : what);
  require(line.find(name) != std::string::npos, "a refusal does not name the file: " + line);
  require(line.size() > name.size() + 2, "a refusal without a reason: " + line);
  for (const char c : line) {
    require(static_cast<unsigned char>(c) >= ' ' && c != '\x7f',
            "a refusal is not one printable line: " + line);
  }
  if (shows()) {
    show("refused: " + line);
  }
}

// Calls read(). Returns whether it accepted the input, which it calls `name`.
template <typename Read>
bool accepts(std::string_view name, Read read) {
  try {
    read();
    return true;
  } catch (const testbench::InputError& error) {
    check_refusal(error.what(), name);
  } catch (const trace::TraceError& error) {
    check_refusal(error.what(), name);
  } catch (const std::exception& error) {
    report(std::string("refused with another error: ") + error.what());
  }
  return false;
}

}  // namespace modmem::fuzz
