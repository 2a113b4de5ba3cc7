#include "integrations/zephyr/testing/fake_kernel.hpp"

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/shell/shell.h>
#include <zephyr/spinlock.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace modmem {

FakeKernel& fake_kernel() {
  static FakeKernel kernel;
  return kernel;
}

bool FakeKernel::said(const char* text) const {
  for (const std::string& line : lines) {
    if (line.find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

namespace {

__attribute__((format(printf, 2, 0))) void append(const struct shell* sh, const char* format,
                                                  va_list arguments) {
  char* const text = const_cast<struct shell*>(sh)->printed;
  const std::size_t length = std::strlen(text);
  std::vsnprintf(text + length, sizeof(sh->printed) - length, format, arguments);
}

}  // namespace

}  // namespace modmem

using modmem::fake_kernel;

k_tid_t k_current_get(void) { return reinterpret_cast<k_tid_t>(0x1000); }
bool k_is_in_isr(void) { return fake_kernel().in_interrupt; }
uint64_t k_cycle_get_64(void) { return fake_kernel().cycles; }
int64_t k_uptime_ticks(void) { return fake_kernel().ticks; }

void k_panic(void) {
  std::fprintf(stderr, "k_panic: %s\n",
               fake_kernel().lines.empty() ? "" : fake_kernel().lines.back().c_str());
  std::abort();
}

unsigned int arch_irq_lock(void) { return fake_kernel().interrupts_off++; }

void arch_irq_unlock(unsigned int key) {
  fake_kernel().require(key + 1 == fake_kernel().interrupts_off, "interrupts: another key");
  fake_kernel().interrupts_off = key;
}

_cpu_t* arch_curr_cpu(void) {
  static _cpu_t cpu;
  fake_kernel().require(fake_kernel().interrupts_off != 0, "the core of a thread that may move");
  cpu.id = fake_kernel().core;
  return &cpu;
}

unsigned int arch_num_cpus(void) { return fake_kernel().cores; }

k_spinlock_key_t k_spin_lock(struct k_spinlock* lock) {
  fake_kernel().require(lock->owner == 0, "k_spin_lock(): held already");
  ++fake_kernel().interrupts_off;
  lock->owner = ++fake_kernel().last_key;
  return {lock->owner};
}

void k_spin_unlock(struct k_spinlock* lock, k_spinlock_key_t key) {
  fake_kernel().require(lock->owner != 0 && lock->owner == key.key, "k_spin_unlock(): another key");
  --fake_kernel().interrupts_off;
  lock->owner = 0;
}

void fake_log(char level, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  fake_kernel().lines.push_back(std::string(1, level) + " " + line);
}

void shell_print(const struct shell* sh, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  modmem::append(sh, format, arguments);
  va_end(arguments);
}

void shell_error(const struct shell* sh, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  modmem::append(sh, format, arguments);
  va_end(arguments);
}
