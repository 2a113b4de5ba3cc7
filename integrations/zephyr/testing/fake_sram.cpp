#include "integrations/zephyr/testing/fake_sram.hpp"

#include <modmem_zephyr.h>
#include <zephyr/cache.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/mm/system_mm.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "integrations/zephyr/testing/fake_kernel.hpp"

namespace modmem {

FakeSram& fake_sram() {
  static FakeSram sram;
  return sram;
}

FakeSram::FakeSram() {
  if (memory_.open(kFrames * kPageBytes, kPages * kPageBytes, true) != nullptr) {
    std::abort();
  }
  frame_of_.fill(kNoFrame);
  reset();
}

void FakeSram::reset() {
  for (std::size_t page = 0; page < kPages; ++page) {
    if (frame_of_[page] != kNoFrame) {
      memory_.unmap(page * kPageBytes, kPageBytes);
      frame_of_[page] = kNoFrame;
    }
  }
  mapped_ = 0;
  mapped_in_.fill(0);
  on_.fill(false);
  // The image's own pages are mapped elsewhere: their banks stay on.
  for (std::size_t frame = 0; frame < kReservedFrames; ++frame) {
    ++mapped_in_[frame / kBankFrames];
    on_[frame / kBankFrames] = true;
  }
  maps_until_failure = kNever;
  unmaps_fail = false;
  driver_switches_banks = false;
  broken_bank = kNever;
}

bool FakeSram::is_in_window(const void* pointer) const {
  const auto* const byte = static_cast<const std::byte*>(pointer);
  return byte >= window() && byte < window() + kPages * kPageBytes;
}

bool FakeSram::is_uncached(const void* pointer) const {
  return is_in_window(static_cast<const std::byte*>(pointer) - alias_offset());
}

std::size_t FakeSram::banks_on() const {
  return static_cast<std::size_t>(std::count(on_.begin(), on_.end(), true));
}

void FakeSram::switch_bank(std::size_t bank, bool on) {
  if (on_.at(bank) && !on) {
    memory_.fill(bank * kBankFrames * kPageBytes, kBankFrames * kPageBytes, std::byte{0xDB});
  }
  on_.at(bank) = on;
}

int FakeSram::map(std::byte* page, std::uintptr_t physical, std::uint32_t flags) {
  FakeKernel& kernel = fake_kernel();
  kernel.require(kernel.interrupts_off != 0, "map: not serialized");
  const auto offset = static_cast<std::size_t>(page - window());
  kernel.require(is_in_window(page) && offset % kPageBytes == 0, "map: no such page");
  kernel.require(flags == (SYS_MM_MEM_PERM_RW | SYS_MM_MEM_CACHE_WB), "map: flags");
  const std::size_t number = offset / kPageBytes;
  const std::size_t frame = (physical - kPhysical) / kPageBytes;
  kernel.require(physical % kPageBytes == 0 && frame >= kReservedFrames && frame < kFrames,
                 "map: no frame of the pool");
  kernel.require(std::find(frame_of_.begin(), frame_of_.end(), frame) == frame_of_.end(),
                 "map: the frame lies under another page");
  if (maps_until_failure == 0) {
    return -EINVAL;
  }
  if (frame_of_.at(number) != kNoFrame) {
    return -EFAULT;
  }
  maps_until_failure -= maps_until_failure == kNever ? 0 : 1;
  const std::size_t bank = frame / kBankFrames;
  if (driver_switches_banks) {
    switch_bank(bank, true);
  }
  kernel.require(on_.at(bank), "map: the bank is off");
  if (!memory_.map(number * kPageBytes, frame * kPageBytes, kPageBytes)) {
    std::abort();
  }
  frame_of_.at(number) = frame;
  cached_.at(number) = true;
  ++mapped_in_.at(bank);
  ++mapped_;
  return 0;
}

int FakeSram::unmap(std::byte* page) {
  fake_kernel().require(fake_kernel().interrupts_off != 0, "unmap: not serialized");
  fake_kernel().require(is_in_window(page), "unmap: no such page");
  const std::size_t number = static_cast<std::size_t>(page - window()) / kPageBytes;
  if (unmaps_fail || frame_of_.at(number) == kNoFrame) {
    return -EFAULT;
  }
  fake_kernel().require(!cached_.at(number), "unmap: lines of the page may be in the cache");
  const std::size_t bank = frame_of_.at(number) / kBankFrames;
  memory_.unmap(number * kPageBytes, kPageBytes);
  frame_of_.at(number) = kNoFrame;
  --mapped_;
  if (--mapped_in_.at(bank) == 0 && driver_switches_banks) {
    switch_bank(bank, false);
  }
  return 0;
}

int FakeSram::set_bank_power(std::size_t bank, bool on) {
  if (driver_switches_banks) {
    return 0;
  }
  fake_kernel().require(on_.at(bank) != on, "bank power: nothing to switch");
  fake_kernel().require(on || mapped_in_.at(bank) == 0, "bank power: pages of it are mapped");
  if (on && bank == broken_bank) {
    return -EIO;
  }
  switch_bank(bank, on);
  return 0;
}

int FakeSram::maintain(const std::byte* address, std::size_t bytes, bool drops) {
  maintained_bytes = bytes;
  const auto first = reinterpret_cast<std::uintptr_t>(address);
  const std::size_t line = fake_kernel().cache_line;
  fake_kernel().require(first % line == 0 && bytes % line == 0, "cache: not whole lines");
  fake_kernel().require(!is_uncached(address), "cache: past the cache");
  if (is_in_window(address)) {
    const std::size_t end = static_cast<std::size_t>(address - window()) + bytes;
    for (std::size_t at = end - bytes; at < end; at += kPageBytes) {
      fake_kernel().require(frame_of_.at(at / kPageBytes) != kNoFrame, "cache: nothing is mapped");
      cached_.at(at / kPageBytes) = cached_.at(at / kPageBytes) && !(drops && bytes >= kPageBytes);
    }
  }
  return 0;
}

}  // namespace modmem

using modmem::fake_sram;

int sys_mm_drv_map_page(void* virt, uintptr_t phys, uint32_t flags) {
  return fake_sram().map(static_cast<std::byte*>(virt), phys, flags);
}

int sys_mm_drv_unmap_page(void* virt) { return fake_sram().unmap(static_cast<std::byte*>(virt)); }

int sys_cache_data_flush_range(void* addr, size_t size) {
  return fake_sram().maintain(static_cast<std::byte*>(addr), size, false);
}

int sys_cache_data_invd_range(void* addr, size_t size) {
  return fake_sram().maintain(static_cast<std::byte*>(addr), size, true);
}

int sys_cache_data_flush_and_invd_range(void* addr, size_t size) {
  return fake_sram().maintain(static_cast<std::byte*>(addr), size, true);
}

void* fake_cached_pointer(void* ptr) {
  return fake_sram().is_uncached(ptr) ? static_cast<std::byte*>(ptr) - fake_sram().alias_offset()
                                      : ptr;
}

// Memory beside the SRAM has its other addresses elsewhere on a DSP; here it has none.
void* fake_uncached_pointer(void* ptr) {
  return fake_sram().is_in_window(ptr) ? static_cast<std::byte*>(ptr) + fake_sram().alias_offset()
                                       : ptr;
}

size_t fake_cache_line(void) { return modmem::fake_kernel().cache_line; }

// By the alias past the cache, which is as good to devicetree as the other.
uintptr_t fake_window_address(void) {
  return reinterpret_cast<uintptr_t>(fake_sram().window() + fake_sram().alias_offset());
}
uintptr_t fake_low_power_address(void) {
  return reinterpret_cast<uintptr_t>(fake_sram().low_power());
}
uintptr_t fake_l3_address(void) { return reinterpret_cast<uintptr_t>(fake_sram().l3()); }

// The product's hooks, in place of the weak ones.

int modmem_zephyr_bank_power(unsigned int bank, bool on) {
  modmem::fake_kernel().require(modmem::fake_kernel().interrupts_off != 0, "hook: not serialized");
  return fake_sram().set_bank_power(bank, on);
}
