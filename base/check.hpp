// Assertions of internal preconditions and invariants.
//
// MODMEM_ASSERT(condition) costs nothing unless the build has invariant checks (MODMEM_CHECKS=1).
// A failed one calls check_failed(), which the platform's port defines and which does not return.
#pragma once

namespace modmem {

#if defined(MODMEM_CHECKS) && MODMEM_CHECKS
inline constexpr bool kChecks = true;
#else
inline constexpr bool kChecks = false;
#endif

// Defined by the port. Reports the broken condition and stops the system.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace modmem

#define MODMEM_ASSERT(condition)                                \
  do {                                                          \
    if constexpr (::modmem::kChecks) {                          \
      if (!(condition)) {                                       \
        ::modmem::check_failed(#condition, __FILE__, __LINE__); \
      }                                                         \
    }                                                           \
  } while (false)
