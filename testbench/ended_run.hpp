// play_or_end(): a run that somebody ends before its time, and what it traced.
#pragma once

#include <exception>

#include "testbench/c_functions.hpp"

namespace modmem::testbench {

// Runs `play`, which plays on `system`. Whoever has had enough (an interruption, a view that is
// closed) throws what is no std::exception: then the trace ends with the system, as whole as any,
// and it is thrown on. After an error there is none.
template <typename Play>
void play_or_end(System& system, CFunctions& c_functions, const Play& play) {
  try {
    play();
  } catch (const std::exception&) {
    throw;
  } catch (...) {
    c_functions.close();
    system.finish_trace();
    throw;
  }
}

}  // namespace modmem::testbench
