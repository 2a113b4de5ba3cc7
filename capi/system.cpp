#include "capi/system.hpp"

#include "capi/hooks.hpp"

namespace modmem {

namespace {

constinit std::atomic<CSystem*> current{nullptr};

}  // namespace

CSystem* current_system() { return current.load(std::memory_order_acquire); }

CSystem* booted() {
  CSystem* system = current_system();
  return system != nullptr ? system : boot_default();
}

bool adopt(CSystem& system) {
  CSystem* none = nullptr;
  return current.compare_exchange_strong(none, &system, std::memory_order_acq_rel);
}

void leave(CSystem& system) {
  CSystem* self = &system;
  current.compare_exchange_strong(self, nullptr, std::memory_order_acq_rel);
}

}  // namespace modmem
