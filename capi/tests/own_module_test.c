/*
 * A framework with a struct processing_module of its own: the sentence on that in the contract's
 * section on module memory.
 *
 *   A framework with its own layout embeds a struct
 *     module_resources and supplies
 *     modmem_module_resources() and modmem_module_id()       a_framework_brings_its_own_layout
 *                                                            reports_have_the_frameworks_id
 */
#define MODMEM_OWN_PROCESSING_MODULE

#include <modmem/module.h>
#include <string.h>

#include "capi/tests/support.h"

/* Nothing is where the small form has it. */
struct processing_module {
  char name[40];
  struct {
    int state;
    struct module_resources resources;
  } inner;
  struct {
    uint16_t instance;
    uint16_t type;
  } id;
};

struct module_resources* modmem_module_resources(struct processing_module* mod) {
  return &mod->inner.resources;
}

uint32_t modmem_module_id(const struct processing_module* mod) {
  return (uint32_t)mod->id.type << 16 | mod->id.instance;
}

static void a_framework_brings_its_own_layout(void** state) {
  (void)state;
  struct processing_module module;
  struct processing_module untouched;
  memset(&module, 0x77, sizeof(module));
  untouched = module;
  mod_resource_init(&module);
  char* block = mod_alloc(&module, 100);
  char* large = mod_balloc(&module, 1000);
  assert_non_null(block);
  assert_non_null(large);
  size_t most = 0;
  assert_int_equal(module_adapter_heap_usage(&module, &most), 1100);
  assert_int_equal(most, 1100);
  assert_int_equal(mod_free(&module, block), 0);
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
  assert_non_null(handler);
  assert_int_equal(comp_init_data_blob(handler, 300, NULL), 0);
  mod_free_all(&module);
  assert_memory_equal(module.name, untouched.name, sizeof(module.name));
  assert_int_equal(module.inner.state, untouched.inner.state);
  assert_memory_equal(&module.id, &untouched.id, sizeof(module.id));
}

static void reports_have_the_frameworks_id(void** state) {
  (void)state;
  char local = 0;
  struct processing_module module;
  memset(&module, 0, sizeof(module));
  module.id.type = 0x12;
  module.id.instance = 0x345;
  mod_resource_init(&module);
  assert_null(mod_alloc(&module, 0));
  expect_error("0x120345");
  assert_non_null(mod_alloc(&module, 100));
  assert_int_equal(mod_free(&module, &local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", &local);
  assert_int_equal(last_fault()->owner_id, 0x120345);
  mod_free_all(&module);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_framework_brings_its_own_layout),
      TEST(reports_have_the_frameworks_id),
  };
  return RUN_TESTS("own_module", kTests);
}
