/*
 * Module memory: the contract's section of that name, but blob handlers (blobs_test.c), the shape
 * of the object pool (objpool_test.c), and threads (threads_test.c).
 *
 *   struct processing_module in a small form (device id, private data, resources)
 *         the_small_form_has_its_members
 *   A framework with its own layout embeds ... and supplies
 *         own_module_test.c
 *   mod_resource_init()                                    a_module_starts_with_nothing
 *   mod_alloc(): general intent                            mod_alloc_has_general_intent
 *   mod_alloc_align()                                      alignment_is_honoured
 *   mod_zalloc()                                           mod_zalloc_zeroes
 *   mod_alloc_ext(flags)                                   mod_alloc_ext_takes_flags
 *   mod_balloc(), mod_balloc_align(): large-buffer intent
 *         mod_balloc_has_large_buffer_intent
 *   mod_free(): 0; ptr NULL: 0; not this module's: -EINVAL
 *         mod_free_takes_the_modules_own
 *   mod_free_all()                                         mod_free_all_releases_everything
 *   mod_data_blob_handler_new(), _free()                   blobs_test.c
 *   mod_fast_get(), mod_fast_put()                         mod_fast_get_shares_copies
 *   module_adapter_heap_usage(mod, high_water_mark): requested bytes
 *         usage_is_requested_bytes
 *   mod_alloc, mod_zalloc and mod_balloc are inline over the aligned ones
 *         inline_functions_are_over_the_aligned_ones
 *   mod_free_all releases ... in reverse order of allocation
 *         module_order_test.c
 *   it also runs when a module's init fails                mod_free_all_after_a_failed_init
 *   size 0: NULL and an error line ("requested allocation of 0 bytes"), nothing taken
 *         size_0_is_an_error
 *   A failed allocation reports size, alignment and component id in hexadecimal, nothing
 *     taken
 *         a_failed_allocation_reports_and_takes_nothing
 *   The bookkeeping records come from an object pool ...   records_take_nothing_of_the_account
 *   (1,000 cycles of a module that leaks, fails init and frees twice: reported each time,
 *     pool flat)                                           a_bad_module_a_thousand_times
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/fast-get.h>
#include <stdio.h>
#include <string.h>

#include "capi/tests/support.h"

static struct processing_module new_module(uint32_t id) {
  struct processing_module module;
  memset(&module, 0, sizeof(module));
  module.dev_id = id;
  return module;
}

/* Initialised where it stays: struct module_resources is not to be copied while it holds anything.
 */
static void init(struct processing_module* module, uint32_t id) {
  *module = new_module(id);
  mod_resource_init(module);
}

static void the_small_form_has_its_members(void** state) {
  (void)state;
  struct processing_module module;
  memset(&module, 0, sizeof(module));
  module.dev_id = 0x12;
  module.priv = &module;
  struct module_resources* resources = &module.resources;
  mod_resource_init(&module);
  assert_ptr_equal(modmem_module_resources(&module), resources);
  assert_int_equal(modmem_module_id(&module), 0x12);
  assert_non_null(mod_alloc(&module, 10));
  assert_int_equal(module.dev_id, 0x12);
  assert_ptr_equal(module.priv, &module);
  mod_free_all(&module);
}

static void a_module_starts_with_nothing(void** state) {
  (void)state;
  struct modmem_info before;
  struct modmem_info after;
  assert_int_equal(modmem_info(&before), 0);
  struct processing_module module;
  memset(&module, 0xa5, sizeof(module)); /* whatever it contains */
  module.dev_id = 0x13;
  mod_resource_init(&module);
  size_t most = 1;
  assert_int_equal(module_adapter_heap_usage(&module, &most), 0);
  assert_int_equal(most, 0);
  assert_int_equal(modmem_info(&after), 0);
  assert_int_equal(after.mapped_bytes, before.mapped_bytes);
  char* block = mod_alloc(&module, 100);
  assert_non_null(block);
  mod_free_all(&module);
}

static void mod_alloc_has_general_intent(void** state) {
  (void)state;
  /* Policy slots: that is not the heap of large buffers. */
  reboot_policy("slots");
  struct processing_module module;
  init(&module, 0x14);
  char* block = mod_alloc(&module, 3000);
  char* aligned = mod_alloc_align(&module, 3000, 64);
  assert_int_equal(named_live("slots"), 0);
  assert_in_range(named_live("system"), 6000, 6300); /* and the books of module memory */
  fill(block, 3000, 1);
  fill(aligned, 3000, 2);
  assert_filled(block, 3000, 1);
  mod_free_all(&module);
  /* Policy slots-modules: it is that of modules. */
  reboot_policy("slots-modules");
  init(&module, 0x14);
  block = mod_alloc(&module, 3000);
  assert_slots(block, 4096, 3000);
  assert_int_equal(named_live("slots"), 3000);
  const uintptr_t address = address_of(block);
  assert_mapped(block);
  mod_free_all(&module);
  assert_emptied(address);
}

static void alignment_is_honoured(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0x15);
  for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    char* small = mod_alloc(&module, 1);
    char* general = mod_alloc_align(&module, 100, alignment);
    char* large = mod_balloc_align(&module, 100, alignment);
    char* flagged = mod_alloc_ext(&module, SOF_MEM_FLAG_COHERENT, 100, alignment);
    assert_non_null(general);
    assert_non_null(large);
    assert_non_null(flagged);
    assert_true(is_aligned(small, _Alignof(max_align_t)));
    assert_true(is_aligned(general, alignment));
    assert_true(is_aligned(large, alignment));
    assert_true(is_aligned(large, line_bytes()));
    assert_true(is_aligned(flagged, alignment));
    mod_free_all(&module);
  }
  assert_null(mod_alloc_align(&module, 100, 48));
  expect_error("alignment");
  assert_non_null(strstr(last_line(), "0x15"));
  assert_null(mod_balloc_align(&module, 100, 100));
  expect_error("alignment");
  assert_null(mod_balloc_align(&module, 100, 48)); /* below a line */
  expect_error("alignment");
  assert_null(mod_alloc_ext(&module, SOF_MEM_FLAG_COHERENT, 100, 3));
  expect_error("alignment");
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  mod_free_all(&module);
}

static void mod_zalloc_zeroes(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0x16);
  char* keeper = mod_alloc(&module, 64);
  assert_non_null(keeper);
  char* used = mod_alloc(&module, 2000);
  memset(used, 0xa5, 2000);
  assert_int_equal(mod_free(&module, used), 0);
  char* block = mod_zalloc(&module, 2000);
  assert_non_null(block);
  assert_zero(block, 2000);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 2064);
  mod_free_all(&module);
}

static void mod_alloc_ext_takes_flags(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0x17);
  const size_t pool = pool_mapped();
  char* coherent = mod_alloc_ext(&module, SOF_MEM_FLAG_COHERENT, 100, 0);
  char* external = mod_alloc_ext(&module, SOF_MEM_FLAG_L3, KIB(4096), 0);
  char* dma = mod_alloc_ext(&module, SOF_MEM_FLAG_DMA, 100, 0);
  char* none = mod_alloc_ext(&module, 0, 100, 256);
  assert_non_null(coherent);
  assert_non_null(external);
  assert_non_null(dma);
  assert_non_null(none);
  assert_true(host() == HOST_LIBC || sys_cache_is_ptr_uncached(coherent));
  assert_true(pool_mapped() < pool + KIB(4096));
  assert_true(is_aligned(dma, 128));
  assert_true(is_aligned(none, 256));
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 300 + KIB(4096));
  mod_free_all(&module);
  reboot_policy("slots");
  init(&module, 0x17);
  char* large = mod_alloc_ext(&module, SOF_MEM_FLAG_LARGE_BUFFER, 3000, 0);
  assert_slots(large, 4096, 3000);
  assert_int_equal(named_live("slots"), 3000);
  mod_free_all(&module);
}

static void mod_balloc_has_large_buffer_intent(void** state) {
  (void)state;
  reboot_policy("slots"); /* where it shows */
  struct processing_module module;
  init(&module, 0x18);
  char* block = mod_balloc(&module, 3000);
  char* aligned = mod_balloc_align(&module, 5000, 8);
  assert_slots(block, 4096, 3000);
  assert_slots(aligned, 8192, 5000);
  assert_int_equal(named_live("slots"), 8000);
  assert_true(is_aligned(block, line_bytes()));
  assert_true(is_aligned(aligned, line_bytes()));
  fill(block, 3000, 1);
  fill(aligned, 5000, 2);
  assert_filled(block, 3000, 1);
  const uintptr_t address = address_of(block);
  assert_int_equal(mod_free(&module, block), 0);
  assert_emptied(address);
  mod_free_all(&module);
}

static void mod_free_takes_the_modules_own(void** state) {
  (void)state;
  char local = 0;
  struct processing_module module;
  struct processing_module other;
  init(&module, 0x19);
  init(&other, 0x1a);
  char* block = mod_alloc(&module, 100);
  char* others = mod_alloc(&other, 100);
  char* system = rmalloc(0, 100);
  assert_int_equal(mod_free(&module, NULL), 0);
  expect_quiet();
  assert_int_equal(mod_free(&module, &local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", &local);
  assert_int_equal(mod_free(&module, others), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", others);
  assert_int_equal(mod_free(&module, system), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", system);
  assert_int_equal(mod_free(&module, block + 16), -EINVAL);
  expect_fault(MODMEM_FAULT_INTERIOR, "mod_free", block + 16);
  char* keeper = mod_alloc(&module, 100);
  assert_non_null(keeper);
  const uintptr_t address = address_of(block);
  assert_int_equal(mod_free(&module, block), 0);
  assert_int_equal(mod_free(&module, (void*)address), -EINVAL); /* NOLINT */
  expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "mod_free",
               (void*)address);
  fill(others, 100, 1);
  fill(system, 100, 2);
  assert_filled(others, 100, 1);
  assert_int_equal(mod_free(&other, others), 0);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 100);
  rfree(system);
  mod_free_all(&module);
  mod_free_all(&other);
}

static void mod_free_all_releases_everything(void** state) {
  (void)state;
  static const char kData[1000] = {1, 2, 3};
  struct modmem_info before;
  struct modmem_info after;
  assert_int_equal(modmem_info(&before), 0);
  struct processing_module module;
  init(&module, 0x1b);
  uintptr_t addresses[3];
  char* first = mod_balloc_align(&module, 3 * page_bytes(), page_bytes());
  for (size_t i = 0; i < 3; i++) {
    addresses[i] = address_of(first) + i * page_bytes();
    assert_mapped(first + i * page_bytes());
  }
  for (size_t i = 0; i < 10; i++) {
    assert_non_null(mod_alloc(&module, 100));
  }
  assert_non_null(mod_data_blob_handler_new(&module));
  assert_non_null(mod_fast_get(&module, kData, sizeof(kData)));
  assert_non_null(mod_alloc_ext(&module, SOF_MEM_FLAG_L3, 1000, 0));
  mod_free_all(&module);
  expect_quiet(); /* that is no leak */
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  assert_int_equal(modmem_info(&after), 0);
  assert_int_equal(after.mapped_bytes, before.mapped_bytes);
  assert_int_equal(after.owners, before.owners);
  if (policy_is_elastic()) { /* whose heaps map pages under live data alone */
    for (size_t i = 0; i < 3; i++) {
      assert_emptied(addresses[i]);
    }
  }
  mod_free_all(&module); /* again: nothing happens */
  expect_quiet();
  /* The module may take memory again. */
  char* block = mod_alloc(&module, 100);
  assert_non_null(block);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 100);
  mod_free_all(&module);
}

static const char kCoefficients[500] = {1, 2, 3, 4, 5};

static void mod_fast_get_shares_copies(void** state) {
  (void)state;
  struct processing_module module;
  struct processing_module other;
  init(&module, 0x1c);
  init(&other, 0x1d);
  const char* copy = mod_fast_get(&module, kCoefficients, sizeof(kCoefficients));
  assert_non_null(copy);
  assert_ptr_not_equal(copy, kCoefficients);
  assert_memory_equal(copy, kCoefficients, sizeof(kCoefficients));
  assert_ptr_equal(mod_fast_get(&other, kCoefficients, sizeof(kCoefficients)), copy);
  assert_ptr_equal(mod_fast_get(&module, kCoefficients, sizeof(kCoefficients)), copy);
  assert_null(mod_fast_get(&module, kCoefficients, 100));
  expect_error("bytes");
  mod_fast_put(&module, copy);
  mod_fast_put(&module, copy);
  expect_quiet();
  assert_memory_equal(copy, kCoefficients, sizeof(kCoefficients)); /* the other one's still */
  mod_fast_put(&module, copy);                                     /* has none any more */
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_fast_put", copy);
  mod_free_all(&other); /* its reference goes with it */
  mod_fast_put(&module, NULL);
  expect_quiet();
  mod_free_all(&module);
  /* Out of memory is one line here, too. */
  assert_null(mod_fast_get(&module, kCoefficients + 1, KIB(64 * 1024)));
  expect_line("no memory");
  /* No entry is left: the same data may come with another size. */
  copy = mod_fast_get(&module, kCoefficients, 100);
  assert_non_null(copy);
  assert_int_equal(mod_free(&module, copy), 0);
  mod_free_all(&module);
}

static void usage_is_requested_bytes(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0x1e);
  size_t most = 0;
  char* first = mod_alloc(&module, 1);
  char* second = mod_alloc(&module, 1000);
  char* third = mod_balloc(&module, 77);
  assert_int_equal(module_adapter_heap_usage(&module, &most), 1078);
  assert_int_equal(most, 1078);
  assert_int_equal(mod_free(&module, second), 0);
  assert_int_equal(module_adapter_heap_usage(&module, &most), 78);
  assert_int_equal(most, 1078);
  assert_int_equal(mod_free(&module, first), 0);
  char* fourth = mod_alloc_align(&module, 1010, 64);
  assert_non_null(fourth);
  assert_int_equal(module_adapter_heap_usage(&module, &most), 1087);
  assert_int_equal(most, 1087);
  assert_int_equal(mod_free(&module, third), 0);
  assert_int_equal(mod_free(&module, fourth), 0);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  mod_free_all(&module);
}

static void inline_functions_are_over_the_aligned_ones(void** state) {
  (void)state;
  /* Same alignment, size and intent; that they are inline, api_2026_test.c sees: it takes no symbol
   * of them. */
  reboot_policy("slots");
  struct processing_module module;
  init(&module, 0x1f);
  assert_int_equal(modmem_usable_size(mod_alloc(&module, 200)),
                   modmem_usable_size(mod_alloc_align(&module, 200, 0)));
  assert_int_equal(modmem_usable_size(mod_zalloc(&module, 200)),
                   modmem_usable_size(mod_alloc_align(&module, 200, 0)));
  assert_int_equal(modmem_usable_size(mod_balloc(&module, 200)),
                   modmem_usable_size(mod_balloc_align(&module, 200, 0)));
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 1200);
  mod_free_all(&module);
}

static int failing_init(struct processing_module* module) {
  for (int i = 0; i < 5; i++) {
    if (mod_alloc(module, 200) == NULL) {
      return -ENOMEM;
    }
  }
  return mod_balloc(module, KIB(64 * 1024)) == NULL ? -ENOMEM : 0;
}

static void mod_free_all_after_a_failed_init(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  const size_t live = heap_live(NULL);
  struct processing_module module;
  init(&module, 0x21);
  assert_int_equal(failing_init(&module), -ENOMEM);
  assert_true(close_lines() >= 1);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 1000);
  mod_free_all(&module);
  expect_quiet();
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  assert_int_equal(heap_live(NULL), live);
  assert_int_equal(pool_mapped(), pool);
}

static void size_0_is_an_error(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0xfab);
  const size_t pool = pool_mapped();
  assert_null(mod_alloc(&module, 0));
  expect_error("requested allocation of 0 bytes");
  assert_null(mod_alloc_align(&module, 0, 64));
  expect_error("requested allocation of 0 bytes");
  assert_null(mod_zalloc(&module, 0));
  expect_error("requested allocation of 0 bytes");
  assert_null(mod_alloc_ext(&module, SOF_MEM_FLAG_COHERENT, 0, 0));
  expect_error("requested allocation of 0 bytes");
  assert_null(mod_balloc(&module, 0));
  expect_error("requested allocation of 0 bytes");
  assert_null(mod_balloc_align(&module, 0, 64));
  expect_error("requested allocation of 0 bytes");
  assert_non_null(strstr(last_line(), "0xfab"));
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  mod_free_all(&module);
  assert_int_equal(pool_mapped(), pool);
}

static void a_failed_allocation_reports_and_takes_nothing(void** state) {
  (void)state;
  struct processing_module module;
  init(&module, 0xfad);
  assert_non_null(mod_alloc(&module, 10));
  const size_t pool = pool_mapped();
  assert_null(mod_alloc_align(&module, 123456789, 256));
  expect_line("no memory"); /* one event, one line */
  const char* line = line_with("123456789 bytes");
  assert_non_null(strstr(line, "alignment 256 bytes"));
  assert_non_null(strstr(line, "0xfad"));
  assert_int_equal(lines_with("4013"), 0); /* 0xfad */
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 10);
  assert_int_equal(pool_mapped(), pool);
  /* A size that no alignment can be added to. */
  assert_null(mod_alloc_align(&module, SIZE_MAX - 10, 64));
  expect_line("no memory");
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 10);
  mod_free_all(&module);
}

static void records_take_nothing_of_the_account(void** state) {
  (void)state;
  /* The records' growth is objpool's (objpool_test.c); here: it is never charged to the module,
   * and all of it goes with the module. */
  struct processing_module module;
  init(&module, 0x22);
  SKIP_UNLESS(policy_is_elastic() || policy_is("single") || policy_is("slots"),
              "126 slots do not hold so many blocks");
  const size_t pool = pool_mapped();
  for (size_t i = 1; i <= 200; i++) {
    assert_non_null(mod_alloc(&module, 16));
    assert_int_equal(module_adapter_heap_usage(&module, NULL), 16 * i);
  }
  mod_free_all(&module);
  assert_int_equal(pool_mapped(), pool);
}

static void a_bad_module_a_thousand_times(void** state) {
  (void)state;
  size_t flat = 0;
  for (int i = 0; i < 1000; i++) {
    struct processing_module module;
    init(&module, 0xbad);
    char* block = mod_alloc(&module, 300);
    assert_non_null(block);
    assert_non_null(mod_alloc(&module, 392)); /* never freed */
    assert_int_equal(mod_free(&module, block), 0);
    assert_int_equal(mod_free(&module, block), -EINVAL);
    expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "mod_free",
                 block);
    assert_int_equal(last_fault()->owner_id, 0xbad);
    assert_non_null(strstr(last_line(), "0xbad"));
    if (i % 10 == 0) { /* a failure takes a line, of which there are ten a second */
      assert_null(mod_alloc(&module, KIB(64 * 1024)));
      close_lines();
    }
    mod_free_all(&module);
    forget_lines();
    if (i == 0) {
      flat = pool_mapped();
    }
    assert_int_equal(pool_mapped(), flat);
  }
  /* A module whose framework forgets even that: reported with id and size. */
  struct processing_module module;
  init(&module, 0xbad);
  assert_non_null(mod_alloc(&module, 393));
  mod_resource_init(&module);
  assert_int_equal(lines_with("393 bytes"), 1);
  assert_non_null(strstr(line_with("393 bytes"), "0xbad"));
  close_lines();
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(the_small_form_has_its_members),
      TEST(a_module_starts_with_nothing),
      TEST(mod_alloc_has_general_intent),
      TEST(alignment_is_honoured),
      TEST(mod_zalloc_zeroes),
      TEST(mod_alloc_ext_takes_flags),
      TEST(mod_balloc_has_large_buffer_intent),
      TEST(mod_free_takes_the_modules_own),
      TEST(mod_free_all_releases_everything),
      TEST(mod_fast_get_shares_copies),
      TEST(usage_is_requested_bytes),
      TEST(inline_functions_are_over_the_aligned_ones),
      TEST(mod_free_all_after_a_failed_init),
      TEST(size_0_is_an_error),
      TEST(a_failed_allocation_reports_and_takes_nothing),
      TEST(records_take_nothing_of_the_account),
      TEST(a_bad_module_a_thousand_times),
  };
  return RUN_TESTS("modules", kTests);
}
