#include "fuzz/fuzz_target.hpp"

#include <cstdio>
#include <cstdlib>

namespace modmem::fuzz {

namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

void report(const std::string& what) {
  std::fprintf(stderr, "fuzz: finding: %s\n", what.c_str());
  std::abort();
}

bool shows() {
  static const bool kIs = is_set("MODMEM_FUZZ_SHOW");
  return kIs;
}

void show(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);  // what follows may be the end of it
}

bool is_planted() {
  static const bool kIs = is_set("MODMEM_FUZZ_PLANT");
  return kIs;
}

}  // namespace modmem::fuzz
