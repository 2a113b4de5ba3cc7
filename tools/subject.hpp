// with_subject(): errors that know nothing of what was being done, with it.
//
// The machine's own errors (no memory left, no thread to be had) come from deep below, and their
// texts name nothing; a user has to know which of ten inputs it was.
#pragma once

#include <new>
#include <string>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::tools {

// What `work` returns. Throws what it throws, but where memory does not suffice, or the system
// refuses something, InputError: "SUBJECT: REASON". `subject` is an input, or a command.
template <typename Work>
auto with_subject(const std::string& subject, const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw testbench::InputError(subject + ": takes more memory than this machine gives");
  } catch (const std::system_error& error) {
    throw testbench::InputError(subject + ": " + error.code().message());
  }
}

}  // namespace modmem::tools
