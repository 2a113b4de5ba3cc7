#include "capi/system.hpp"

#include <atomic>

#include "capi/hooks.hpp"

namespace modmem {

namespace {

// Loaded and stored only: exchanges are not to be had on all targets.
constinit std::atomic<CSystem*> current{nullptr};

}  // namespace

CSystem* current_system() { return current.load(std::memory_order_acquire); }

CSystem* booted() {
  CSystem* system = current_system();
  return system != nullptr ? system : boot_default();
}

bool adopt(CSystem& system) {
  if (current_system() != nullptr) {
    return false;
  }
  current.store(&system, std::memory_order_release);
  return true;
}

void leave(CSystem& system) {
  if (current_system() == &system) {
    current.store(nullptr, std::memory_order_release);
  }
}

}  // namespace modmem
