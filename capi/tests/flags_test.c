/*
 * Flags: the contract's section of that name.
 *
 *   bits 0 and 1 are reserved for SOF_BUF_ flags           bits_0_and_1_mean_nothing
 *   the bits of the flags                                  flags_have_their_bits
 *   DMA: DMA-able: pinned, starts at the platform's DMA alignment
 *         dma_starts_at_the_dma_alignment
 *   NO_COPY: realloc need not copy the old content         no_copy_may_lose_the_content
 *   COHERENT: return the uncached alias                    coherent_gives_the_uncached_alias
 *   starts and ends on a cache line                        coherent_has_cache_lines_of_its_own
 *   L3: from L3 memory (IMR)                               l3_takes_nothing_of_the_pool
 *   NULL and an error together with COHERENT               l3_is_not_coherent
 *   primary core only                                      l3_is_for_the_primary_core
 *   (a platform without: NULL)                             l3_is_refused_where_there_is_none
 *   LOW_POWER: low-power SRAM where the platform has it    low_power_takes_nothing_of_the_pool
 *   else ignored
 *         low_power_is_ignored_where_there_is_none
 *   KERNEL: never in a domain that a module can write
 *         kernel_memory_shares_no_page_with_modules
 *   USER: module (user) memory                             user_memory_is_module_memory
 *   USER_SHARED_BUFFER: the heap shared between kernel and user space
 *         shared_buffers_have_a_heap
 *   LARGE_BUFFER: at least cache-line aligned, whatever the argument
 *         large_buffers_are_line_aligned
 *   what rballoc() implies                                 large_buffers_are_what_rballoc_gives
 *   The policy table has a row for each
 *         every_flag_is_served_under_every_policy
 *   Unknown bits: ignored                                  unknown_bits_are_ignored
 *   with a warning in debug builds                         unknown_bits_warn_in_debug_builds
 *   Real calls pass 0, 0x10, 0x100, 0x110, 0x400, 0x500    flags_of_real_calls_are_served
 *   "pinned" shows in nothing that a C program can do: no call moves a block but
 *     rbrealloc().
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>

#include "capi/tests/support.h"

_Static_assert(SOF_MEM_FLAG_DMA == 0x4, "bit 2");
_Static_assert(SOF_MEM_FLAG_NO_COPY == 0x8, "bit 3");
_Static_assert(SOF_MEM_FLAG_COHERENT == 0x10, "bit 4");
_Static_assert(SOF_MEM_FLAG_L3 == 0x20, "bit 5");
_Static_assert(SOF_MEM_FLAG_LOW_POWER == 0x40, "bit 6");
_Static_assert(SOF_MEM_FLAG_KERNEL == 0x80, "bit 7");
_Static_assert(SOF_MEM_FLAG_USER == 0x100, "bit 8");
_Static_assert(SOF_MEM_FLAG_USER_SHARED_BUFFER == 0x200, "bit 9");
_Static_assert(SOF_MEM_FLAG_LARGE_BUFFER == 0x400, "bit 10");

static const uint32_t kFlags[] = {
    SOF_MEM_FLAG_DMA,          SOF_MEM_FLAG_NO_COPY,
    SOF_MEM_FLAG_COHERENT,     SOF_MEM_FLAG_L3,
    SOF_MEM_FLAG_LOW_POWER,    SOF_MEM_FLAG_KERNEL,
    SOF_MEM_FLAG_USER,         SOF_MEM_FLAG_USER_SHARED_BUFFER,
    SOF_MEM_FLAG_LARGE_BUFFER,
};

static size_t dma_alignment(void) {
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  return info.dma_alignment;
}

static void flags_have_their_bits(void** state) {
  (void)state;
  uint32_t all = 0;
  for (size_t i = 0; i < COUNT(kFlags); i++) {
    assert_int_equal(all & kFlags[i], 0);
    all |= kFlags[i];
  }
  assert_int_equal(all, 0x7fc);
  assert_int_equal(MODMEM_MEM_FLAG_SILENT & all, 0);
}

static void bits_0_and_1_mean_nothing(void** state) {
  (void)state;
  for (uint32_t reserved = 0; reserved < 4; reserved++) {
    for (size_t i = 0; i < COUNT(kFlags); i++) {
      char* block = rmalloc(kFlags[i] | reserved, 100);
      assert_non_null(block);
      assert_true(is_aligned(block, kFlags[i] == SOF_MEM_FLAG_DMA ? dma_alignment() : 8));
      rfree(block);
    }
  }
  expect_quiet();
}

static void dma_starts_at_the_dma_alignment(void** state) {
  (void)state;
  static const char* const kPlatforms[] = {"mtl", "mcu"};
  static const size_t kAlignments[] = {128, 32};
  const bool needs_an_mmu =
      policy_is("slots") || policy_is("slots-modules") || policy_is("slots-all");
  for (size_t p = 0; p < (needs_an_mmu ? 1U : 2U); p++) {
    reboot_platform(kPlatforms[p]);
    assert_int_equal(dma_alignment(), kAlignments[p]);
    char* blocks[6];
    for (size_t i = 0; i < COUNT(blocks); i++) {
      blocks[i] = rmalloc_align(SOF_MEM_FLAG_DMA, 40 + i * 100, (uint32_t)(i == 0 ? 0 : 8));
      assert_non_null(blocks[i]);
      assert_true(is_aligned(blocks[i], kAlignments[p]));
    }
    /* A stricter argument still counts. */
    char* strict = rmalloc_align(SOF_MEM_FLAG_DMA, 40, 1024);
    assert_non_null(strict);
    assert_true(is_aligned(strict, 1024));
    rfree(strict);
    for (size_t i = 0; i < COUNT(blocks); i++) {
      rfree(blocks[i]);
    }
  }
}

static void no_copy_may_lose_the_content(void** state) {
  (void)state;
  char* block = rballoc(0, 1000);
  fill(block, 1000, 1);
  /* What it holds then is not defined; that it is a block of that size is. */
  char* larger = rbrealloc(block, SOF_MEM_FLAG_NO_COPY, 9000, 1000);
  assert_non_null(larger);
  fill(larger, 9000, 2);
  /* Without the flag the content counts. */
  char* largest = rbrealloc(larger, 0, 17000, 9000);
  assert_non_null(largest);
  assert_filled(largest, 9000, 2);
  rfree(largest);
}

static void coherent_gives_the_uncached_alias(void** state) {
  (void)state;
  char* block = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  assert_non_null(block);
  if (host() != HOST_LIBC) { /* whose blocks have no alias */
    assert_true(sys_cache_is_ptr_uncached(block));
    assert_false(sys_cache_is_ptr_cached(block));
    assert_ptr_not_equal(sys_cache_cached_ptr_get(block), block);
  }
  assert_ptr_equal(sys_cache_uncached_ptr_get(sys_cache_cached_ptr_get(block)), block);
  fill(block, 100, 1);
  assert_filled(sys_cache_cached_ptr_get(block), 100, 1);
  char* cached = rmalloc(0, 100);
  assert_true(sys_cache_is_ptr_cached(cached));
  assert_false(sys_cache_is_ptr_uncached(cached));
  rfree(cached);
  rfree(block);
}

static void coherent_has_cache_lines_of_its_own(void** state) {
  (void)state;
  const size_t line = line_bytes();
  char* small = rmalloc(0, 8);
  for (size_t bytes = 1; bytes <= 3 * line; bytes += 13) {
    char* block = rmalloc(SOF_MEM_FLAG_COHERENT, bytes);
    assert_non_null(block);
    assert_true(is_aligned(block, line));
    char* next = rmalloc(0, 8); /* right behind it, where there is room */
    assert_non_null(next);
    const uintptr_t first = address_of(sys_cache_cached_ptr_get(block)) / line;
    const uintptr_t last = (address_of(sys_cache_cached_ptr_get(block)) + bytes - 1) / line;
    if (host() != HOST_LIBC) {
      assert_not_in_range(address_of(next) / line, first, last);
      assert_not_in_range(address_of(small) / line, first, last);
    }
    if (!blocks_are_exact()) {
      assert_int_equal(modmem_usable_size(block) % line, 0);
    }
    rfree(next);
    rfree(block);
  }
  rfree(small);
}

static void l3_takes_nothing_of_the_pool(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  char* block = rmalloc(SOF_MEM_FLAG_L3, KIB(4096)); /* more than SRAM has in all */
  assert_non_null(block);
  fill(block, KIB(4096), 1);
  assert_in_range(pool_mapped(), pool, pool + 2 * page_bytes()); /* records */
  assert_filled(block, KIB(4096), 1);
  rfree(block);
}

static void l3_is_not_coherent(void** state) {
  (void)state;
  assert_null(rmalloc(SOF_MEM_FLAG_L3 | SOF_MEM_FLAG_COHERENT, 100));
  expect_error("unsupported");
  assert_null(rballoc(SOF_MEM_FLAG_L3 | SOF_MEM_FLAG_COHERENT | SOF_MEM_FLAG_USER, 100));
  expect_error("unsupported");
}

static void l3_is_for_the_primary_core(void** state) {
  (void)state;
  for (unsigned core = 1; core < 3; core++) {
    modmem_host_set_core(core);
    assert_null(rmalloc(SOF_MEM_FLAG_L3, 100));
    expect_error("unsupported");
  }
  modmem_host_set_core(0);
  char* block = rmalloc(SOF_MEM_FLAG_L3, 100);
  assert_non_null(block);
  rfree(block);
}

static void l3_is_refused_where_there_is_none(void** state) {
  (void)state;
  SKIP_UNLESS(policy_is_elastic() || policy_is("single"), "the platform without L3 has no MMU");
  reboot_platform("mcu");
  assert_null(rmalloc(SOF_MEM_FLAG_L3, 100));
  expect_error("no memory");
}

static void low_power_takes_nothing_of_the_pool(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  char* blocks[2];
  for (size_t i = 0; i < COUNT(blocks); i++) {
    blocks[i] = rmalloc(SOF_MEM_FLAG_LOW_POWER, KIB(20));
    assert_non_null(blocks[i]);
    fill(blocks[i], KIB(20), (unsigned)i);
  }
  assert_in_range(pool_mapped(), pool, pool + 2 * page_bytes()); /* records */
  for (size_t i = 0; i < COUNT(blocks); i++) {
    assert_filled(blocks[i], KIB(20), (unsigned)i);
    rfree(blocks[i]);
  }
}

static void low_power_is_ignored_where_there_is_none(void** state) {
  (void)state;
  SKIP_UNLESS(policy_is_elastic() || policy_is("single"),
              "the platform without low-power SRAM has no MMU");
  reboot_platform("mcu");
  const size_t live = heap_live(NULL);
  char* block = rmalloc(SOF_MEM_FLAG_LOW_POWER, 5000);
  assert_non_null(block);
  assert_int_equal(heap_live(NULL), live + 5000);
  rfree(block);
}

/* Policy module-heaps: the one where a module's memory is a domain of its own. */
static void kernel_memory_shares_no_page_with_modules(void** state) {
  (void)state;
  SKIP_UNDER(HOST_LIBC, "blocks lie where the C library has them");
  reboot_policy("module-heaps");
  struct processing_module module = {.dev_id = 0x11};
  mod_resource_init(&module);
  char* kernel[4];
  char* user[4];
  for (size_t i = 0; i < COUNT(user); i++) {
    user[i] = mod_alloc(&module, 100);
    kernel[i] = mod_alloc_ext(&module, SOF_MEM_FLAG_KERNEL, 100, 0);
    assert_non_null(user[i]);
    assert_non_null(kernel[i]);
  }
  char* system = rmalloc(SOF_MEM_FLAG_KERNEL, 100);
  for (size_t i = 0; i < COUNT(user); i++) {
    const uintptr_t page = address_of(user[i]) / page_bytes();
    assert_int_not_equal(page, address_of(system) / page_bytes());
    for (size_t k = 0; k < COUNT(kernel); k++) {
      assert_int_not_equal(page, address_of(kernel[k]) / page_bytes());
    }
  }
  rfree(system);
  mod_free_all(&module);
}

/* Policy slots-modules: module memory, and no other, lies in slots. */
static void user_memory_is_module_memory(void** state) {
  (void)state;
  reboot_policy("slots-modules");
  char* user = rmalloc(SOF_MEM_FLAG_USER, 3000);
  char* other = rmalloc(0, 3000);
  assert_slots(user, 4096, 3000);
  assert_int_equal(named_live("slots"), 3000);
  assert_int_equal(named_live("system"), 3000);
  const uintptr_t address = address_of(user);
  assert_mapped(user);
  rfree(user);
  assert_emptied(address);
  rfree(other);
}

/* Policies with a heap for them: elastic, module-heaps, slots, slots-modules. */
static void shared_buffers_have_a_heap(void** state) {
  (void)state;
  SKIP_UNLESS(!policy_is("single") && !policy_is("slots-all"), "it has one heap for all");
  struct modmem_heap_info info;
  assert_int_equal(modmem_named_heap_info("shared", &info), 0);
  assert_int_equal(info.live_bytes, 0);
  assert_int_equal(info.mapped_bytes, 0);
  char* user = rmalloc(SOF_MEM_FLAG_USER, 100);
  char* kernel = rmalloc(SOF_MEM_FLAG_KERNEL, 100);
  char* shared = rmalloc(SOF_MEM_FLAG_USER_SHARED_BUFFER, 100);
  assert_non_null(shared);
  assert_true(is_aligned(shared, line_bytes()));
  assert_int_equal(modmem_named_heap_info("shared", &info), 0);
  assert_int_equal(info.live_bytes, 100);
  assert_int_equal(info.mapped_bytes, page_bytes());
  if (host() != HOST_LIBC) {
    const uintptr_t page = address_of(shared) / page_bytes();
    assert_int_not_equal(page, address_of(user) / page_bytes());
    assert_int_not_equal(page, address_of(kernel) / page_bytes());
  }
  const uintptr_t address = address_of(shared);
  assert_mapped(shared);
  rfree(shared);
  assert_emptied(address);
  rfree(kernel);
  rfree(user);
}

static void large_buffers_are_line_aligned(void** state) {
  (void)state;
  char* small = rmalloc(0, 8);
  for (uint32_t alignment = 0; alignment <= 32; alignment = alignment == 0 ? 1 : alignment * 2) {
    char* block = rmalloc_align(SOF_MEM_FLAG_LARGE_BUFFER, 100, alignment);
    assert_non_null(block);
    assert_true(is_aligned(block, line_bytes()));
    char* of_heap = sof_heap_alloc(NULL, SOF_MEM_FLAG_LARGE_BUFFER, 100, alignment);
    assert_non_null(of_heap);
    assert_true(is_aligned(of_heap, line_bytes()));
    rfree(of_heap);
    rfree(block);
  }
  char* plain = rmalloc(SOF_MEM_FLAG_LARGE_BUFFER, 100);
  assert_non_null(plain);
  assert_true(is_aligned(plain, line_bytes()));
  rfree(plain);
  rfree(small);
}

static void large_buffers_are_what_rballoc_gives(void** state) {
  (void)state;
  reboot_policy("slots"); /* where it shows */
  char* flagged = rmalloc(SOF_MEM_FLAG_LARGE_BUFFER, 5000);
  char* called = rballoc(0, 5000);
  char* neither = rmalloc(0, 5000);
  assert_slots(flagged, 8192, 5000);
  assert_slots(called, 8192, 5000);
  assert_non_null(neither);
  assert_int_equal(named_live("slots"), 10000);
  assert_int_equal(named_live("system"), 5000);
  rfree(neither);
  rfree(called);
  rfree(flagged);
}

static void every_flag_is_served_under_every_policy(void** state) {
  (void)state;
  static const char* const kPolicies[] = {"elastic", "module-heaps",  "single",
                                          "slots",   "slots-modules", "slots-all"};
  for (size_t p = 0; p < COUNT(kPolicies); p++) {
    reboot_policy(kPolicies[p]);
    assert_true(policy_is(kPolicies[p]));
    for (size_t i = 0; i < COUNT(kFlags); i++) {
      for (size_t k = 0; k < COUNT(kFlags); k++) {
        const uint32_t flags = kFlags[i] | kFlags[k];
        char* block = rmalloc(flags, 1000);
        if ((flags & SOF_MEM_FLAG_L3) != 0 && (flags & SOF_MEM_FLAG_COHERENT) != 0) {
          assert_null(block);
          close_lines();
          continue;
        }
        assert_non_null(block);
        fill(block, 1000, (unsigned)i);
        assert_filled(block, 1000, (unsigned)i);
        rfree(block);
      }
    }
  }
}

static void unknown_bits_are_ignored(void** state) {
  (void)state;
  for (unsigned bit = 11; bit < 31; bit++) {
    char* block = rmalloc((uint32_t)1 << bit, 100);
    assert_non_null(block);
    assert_true(sys_cache_is_ptr_cached(block));
    rfree(block);
    char* coherent = rballoc_align(SOF_MEM_FLAG_COHERENT | (uint32_t)1 << bit, 100, 512);
    assert_non_null(coherent);
    assert_true(is_aligned(coherent, 512));
    assert_true(host() == HOST_LIBC || sys_cache_is_ptr_uncached(coherent));
    rfree(coherent);
  }
  close_lines();
}

static void unknown_bits_warn_in_debug_builds(void** state) {
  (void)state;
  char* block = rmalloc(0x8000100, 100);
  assert_non_null(block);
#if MODMEM_CHECKS
  expect_line("0x8000");
  assert_true(lines_with("flag") >= 1);
#else
  expect_quiet();
#endif
  rfree(block);
}

static void flags_of_real_calls_are_served(void** state) {
  (void)state;
  static const uint32_t kReal[] = {0, 0x10, 0x100, 0x110, 0x400, 0x500};
  for (size_t i = 0; i < COUNT(kReal); i++) {
    char* block = rmalloc(kReal[i], 1500);
    char* zeroed = rzalloc(kReal[i], 1500);
    char* large = rballoc_align(kReal[i], 1500, 256);
    assert_non_null(block);
    assert_non_null(zeroed);
    assert_non_null(large);
    assert_zero(zeroed, 1500);
    assert_true(is_aligned(large, 256));
    assert_true(is_aligned(block, kReal[i] & 0x410 ? line_bytes() : 16));
    if (host() != HOST_LIBC) {
      assert_int_equal(sys_cache_is_ptr_uncached(block), (kReal[i] & 0x10) != 0);
      assert_int_equal(sys_cache_is_ptr_uncached(large), (kReal[i] & 0x10) != 0);
    }
    rfree(block);
    rfree(zeroed);
    rfree(large);
  }
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(flags_have_their_bits),
      TEST(bits_0_and_1_mean_nothing),
      TEST(dma_starts_at_the_dma_alignment),
      TEST(no_copy_may_lose_the_content),
      TEST(coherent_gives_the_uncached_alias),
      TEST(coherent_has_cache_lines_of_its_own),
      TEST(l3_takes_nothing_of_the_pool),
      TEST(l3_is_not_coherent),
      TEST(l3_is_for_the_primary_core),
      TEST(l3_is_refused_where_there_is_none),
      TEST(low_power_takes_nothing_of_the_pool),
      TEST(low_power_is_ignored_where_there_is_none),
      TEST(kernel_memory_shares_no_page_with_modules),
      TEST(user_memory_is_module_memory),
      TEST(shared_buffers_have_a_heap),
      TEST(large_buffers_are_line_aligned),
      TEST(large_buffers_are_what_rballoc_gives),
      TEST(every_flag_is_served_under_every_policy),
      TEST(unknown_bits_are_ignored),
      TEST(unknown_bits_warn_in_debug_builds),
      TEST(flags_of_real_calls_are_served),
  };
  return RUN_TESTS("flags", kTests);
}
