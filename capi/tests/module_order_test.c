/*
 * The order in which a module's memory goes.
 *
 *   mod_free_all releases everything the module holds in
 *     reverse order of allocation                            blocks_go_newest_first
 *                                                            handlers_and_copies_go_newest_first
 *     (docs/c-api.md, a deliberate difference: handlers and
 *     copies first, then blocks, each newest first)          handlers_and_copies_go_before_blocks
 *
 * Under libc every block is one of the C library's: this program is linked with --wrap=free, and
 * sees them go. The order is the same on the other hosts, whose blocks go where nobody sees it.
 */
#include <modmem/module.h>
#include <string.h>

#include "capi/tests/support.h"

static const void* watched[16];
static size_t watched_count;
static const void* gone[16];
static size_t gone_count;
static bool watching;

void __real_free(void* block);
void __wrap_free(void* block);

void __wrap_free(void* block) {
  for (size_t i = 0; watching && i < watched_count; i++) {
    if (block != NULL && watched[i] == block && gone_count < COUNT(gone)) {
      gone[gone_count++] = block;
    }
  }
  __real_free(block);
}

static void begin(struct processing_module* module) {
  skip_if(host() != HOST_LIBC, "order", "only blocks of the C library are seen to go");
  memset(module, 0, sizeof(*module));
  module->dev_id = 0x91;
  mod_resource_init(module);
  watched_count = 0;
  gone_count = 0;
}

static void* watch(const void* block) {
  assert_non_null(block);
  assert_true(watched_count < COUNT(watched));
  watched[watched_count++] = block;
  return (void*)(uintptr_t)block;
}

/* Ends the module, and asserts that what was watched has gone, newest first. */
static void end(struct processing_module* module) {
  watching = true;
  mod_free_all(module);
  watching = false;
  assert_int_equal(gone_count, watched_count);
  for (size_t i = 0; i < gone_count; i++) {
    assert_ptr_equal(gone[i], watched[watched_count - 1 - i]);
  }
}

static void blocks_go_newest_first(void** state) {
  (void)state;
  struct processing_module module;
  begin(&module);
  for (size_t i = 0; i < 5; i++) {
    watch(mod_alloc(&module, 100 + i));
    watch(mod_balloc(&module, 100 + i));
    watch(mod_alloc_ext(&module, SOF_MEM_FLAG_COHERENT, 100, 0));
  }
  assert_int_equal(mod_free(&module, (void*)(uintptr_t)watched[4]), 0);
  memmove(&watched[4], &watched[5], (watched_count - 5) * sizeof(watched[0]));
  watched_count--;
  end(&module);
}

static void handlers_and_copies_go_newest_first(void** state) {
  (void)state;
  static const char kTables[3][200] = {{1}, {2}, {3}};
  struct processing_module module;
  begin(&module);
  for (size_t i = 0; i < 3; i++) {
    watch(mod_fast_get(&module, kTables[i], sizeof(kTables[i])));
    struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
    assert_non_null(handler);
    assert_int_equal(comp_init_data_blob(handler, 300, NULL), 0);
    watch(comp_get_data_blob(handler, NULL, NULL));
  }
  end(&module);
}

static void handlers_and_copies_go_before_blocks(void** state) {
  (void)state;
  static const char kTable[200] = {1};
  struct processing_module module;
  begin(&module);
  char* blocks[3];
  blocks[0] = mod_alloc(&module, 100);
  const void* copy = mod_fast_get(&module, kTable, sizeof(kTable));
  blocks[1] = mod_alloc(&module, 200);
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
  assert_non_null(handler);
  assert_int_equal(comp_init_data_blob(handler, 300, NULL), 0);
  blocks[2] = mod_balloc(&module, 400);
  /* Watched in the order that end() is to see from its end. */
  for (size_t i = 0; i < COUNT(blocks); i++) {
    watch(blocks[i]);
  }
  watch(copy);
  watch(comp_get_data_blob(handler, NULL, NULL));
  end(&module);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(blocks_go_newest_first),
      TEST(handlers_and_copies_go_newest_first),
      TEST(handlers_and_copies_go_before_blocks),
  };
  return RUN_TESTS("module_order", kTests);
}
