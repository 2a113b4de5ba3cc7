/*
 * Blob handlers: the sentences on them in the contract's section on module memory.
 *
 *   mod_data_blob_handler_new(mod), ..._free(mod, handler)
 *         a_module_has_handlers
 *   comp_data_blob_handler_new_ext(dev, single_blob, alloc, free)
 *         a_handler_takes_memory_where_it_is_told
 *   single_blob                                            a_single_blob_handler_has_one
 *   comp_data_blob_handler_free(h)                         a_handler_goes_with_its_blobs
 *   comp_get_data_blob(h, size, crc)                       get_gives_size_and_crc
 *   comp_is_new_data_blob_available(h)                     a_blob_becomes_current_at_the_next_get
 *   comp_is_current_data_blob_valid(h)                     a_blob_becomes_current_at_the_next_get
 *   comp_init_data_blob(h, size, init_data)                init_makes_a_blob_current
 *   ipc4_comp_data_blob_set(h, first, last, data_offset_or_size, data)
 *         a_blob_arrives_in_fragments
 *         fragments_out_of_place_are_refused
 *   comp_data_blob_set_validator(h, validator)             a_validator_decides
 *   a configuration that arrives in fragments              a_blob_arrives_in_fragments
 *   becomes current at the next get                        a_blob_becomes_current_at_the_next_get
 *   whose old copy is freed then                           the_old_copy_is_freed_then
 *   (out of memory)                                        out_of_memory_keeps_the_current_blob
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <string.h>

#include "capi/tests/support.h"

enum { FRAGMENT = 4096 };

/* Memory for blobs, that counts. */
static size_t blobs_live;
static size_t bytes_live;
static bool no_memory;
static struct {
  void* block;
  size_t bytes;
} given[8];

static void* counting_alloc(size_t size) {
  if (no_memory) {
    return NULL;
  }
  for (size_t i = 0; i < COUNT(given); i++) {
    if (given[i].block == NULL) {
      given[i].block = rmalloc(0, size);
      given[i].bytes = size;
      blobs_live++;
      bytes_live += size;
      return given[i].block;
    }
  }
  return NULL;
}

static void counting_free(void* block) {
  for (size_t i = 0; i < COUNT(given); i++) {
    if (block != NULL && given[i].block == block) {
      given[i].block = NULL;
      blobs_live--;
      bytes_live -= given[i].bytes;
      rfree(block);
      return;
    }
  }
  assert_null(block);
}

static struct comp_data_blob_handler* new_handler(bool single) {
  blobs_live = 0;
  bytes_live = 0;
  no_memory = false;
  memset(given, 0, sizeof(given));
  struct comp_data_blob_handler* handler =
      comp_data_blob_handler_new_ext(NULL, single, counting_alloc, counting_free);
  assert_non_null(handler);
  return handler;
}

/* Sends a whole blob in as many fragments as it takes. */
static int send_blob(struct comp_data_blob_handler* handler, const char* data, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += FRAGMENT) {
    const bool first = at == 0;
    const bool last = at + FRAGMENT >= bytes;
    const int result = ipc4_comp_data_blob_set(handler, first, last, first ? bytes : at, data + at);
    if (result != 0) {
      return result;
    }
  }
  return 0;
}

/* CRC-32 of IEEE 802.3, bit by bit. */
static uint32_t crc_of(const unsigned char* data, size_t bytes) {
  uint32_t crc = 0xffffffffU;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
    }
  }
  return ~crc;
}

static char blob[3 * FRAGMENT];
static char second[3 * FRAGMENT];

static void a_module_has_handlers(void** state) {
  (void)state;
  struct processing_module module = {.dev_id = 0x41};
  mod_resource_init(&module);
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
  assert_non_null(handler);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(send_blob(handler, blob, 9000), 0);
  /* Its blobs are blocks of the module. */
  assert_in_range(module_adapter_heap_usage(&module, NULL), 9000, 9999);
  size_t size = 0;
  assert_memory_equal(comp_get_data_blob(handler, &size, NULL), blob, 9000);
  assert_int_equal(size, 9000);
  mod_data_blob_handler_free(&module, handler);
  expect_quiet();
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 0);
  /* One that the module forgets ends with it. */
  handler = mod_data_blob_handler_new(&module);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  mod_free_all(&module);
  expect_quiet();
  /* mod_free() takes it, too; and one handler is not another module's. */
  struct processing_module other = {.dev_id = 0x42};
  mod_resource_init(&other);
  handler = mod_data_blob_handler_new(&module);
  mod_data_blob_handler_free(&other, handler);
  assert_int_not_equal(last_fault()->kind, MODMEM_FAULT_NOT_LIVE);
  expect_fault(last_fault()->kind, "mod_data_blob_handler_free", handler);
  assert_int_equal(mod_free(&module, handler), 0);
  mod_free_all(&other);
  mod_free_all(&module);
}

static void a_handler_takes_memory_where_it_is_told(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  assert_int_equal(blobs_live, 0);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  assert_int_equal(blobs_live, 1);
  assert_int_equal(bytes_live, 5000);
  char* current = comp_get_data_blob(handler, NULL, NULL);
  assert_ptr_equal(current, given[0].block);
  comp_data_blob_handler_free(handler);
  assert_int_equal(blobs_live, 0);
  /* Without functions: modmem's own memory. */
  const size_t live = heap_live(NULL);
  handler = comp_data_blob_handler_new_ext(NULL, false, NULL, NULL);
  assert_int_equal(comp_init_data_blob(handler, 3000, NULL), 0);
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  comp_data_blob_handler_free(handler);
  assert_int_equal(heap_live(NULL), live);
}

static void a_single_blob_handler_has_one(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(true);
  fill(blob, sizeof(blob), 1);
  fill(second, sizeof(second), 2);
  assert_int_equal(send_blob(handler, blob, 9000), 0);
  assert_memory_equal(comp_get_data_blob(handler, NULL, NULL), blob, 9000);
  assert_int_equal(blobs_live, 1);
  /* The first fragment frees it; nothing is current until the new one is complete. */
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 6000, second), 0);
  assert_int_equal(blobs_live, 1);
  assert_int_equal(bytes_live, 6000);
  assert_false(comp_is_current_data_blob_valid(handler));
  assert_null(comp_get_data_blob(handler, NULL, NULL));
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, true, 4096, second + 4096), 0);
  size_t size = 0;
  assert_memory_equal(comp_get_data_blob(handler, &size, NULL), second, 6000);
  assert_int_equal(size, 6000);
  assert_true(comp_is_current_data_blob_valid(handler));
  assert_int_equal(blobs_live, 1);
  comp_data_blob_handler_free(handler);
  assert_int_equal(blobs_live, 0);
  close_lines();
}

static void a_handler_goes_with_its_blobs(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  struct comp_data_blob_handler* handler = new_handler(false);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  assert_int_equal(send_blob(handler, blob, 6000), 0);
  assert_int_equal(blobs_live, 2);
  comp_data_blob_handler_free(handler);
  assert_int_equal(blobs_live, 0);
  assert_int_equal(heap_live(NULL), live);
  /* In the middle of a blob. */
  handler = new_handler(false);
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 9000, blob), 0);
  comp_data_blob_handler_free(handler);
  assert_int_equal(blobs_live, 0);
  comp_data_blob_handler_free(NULL);
  expect_quiet();
}

static void get_gives_size_and_crc(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  size_t size = 1;
  uint32_t crc = 1;
  assert_null(comp_get_data_blob(handler, &size, &crc));
  assert_int_equal(size, 0);
  assert_int_equal(crc, 0);
  assert_int_equal(send_blob(handler, "123456789", 9), 0);
  assert_memory_equal(comp_get_data_blob(handler, &size, &crc), "123456789", 9);
  assert_int_equal(size, 9);
  assert_int_equal(crc, 0xcbf43926); /* what CRC-32 gives for these nine by definition */
  fill(blob, sizeof(blob), 3);
  assert_int_equal(send_blob(handler, blob, sizeof(blob)), 0);
  assert_non_null(comp_get_data_blob(handler, &size, &crc));
  assert_int_equal(size, sizeof(blob));
  assert_int_equal(crc, crc_of((const unsigned char*)blob, sizeof(blob)));
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  comp_data_blob_handler_free(handler);
}

static void a_blob_becomes_current_at_the_next_get(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  assert_false(comp_is_new_data_blob_available(handler));
  assert_false(comp_is_current_data_blob_valid(handler));
  fill(blob, sizeof(blob), 1);
  fill(second, sizeof(second), 2);
  assert_int_equal(send_blob(handler, blob, 9000), 0);
  assert_true(comp_is_new_data_blob_available(handler));
  assert_false(comp_is_current_data_blob_valid(handler));
  char* current = comp_get_data_blob(handler, NULL, NULL);
  assert_memory_equal(current, blob, 9000);
  assert_false(comp_is_new_data_blob_available(handler));
  assert_true(comp_is_current_data_blob_valid(handler));
  /* The one in force stays until then, with its content. */
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 8000, second), 0);
  assert_false(comp_is_new_data_blob_available(handler));
  assert_ptr_equal(comp_get_data_blob(handler, NULL, NULL), current);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, true, 4096, second + 4096), 0);
  assert_true(comp_is_new_data_blob_available(handler));
  assert_true(comp_is_current_data_blob_valid(handler));
  assert_memory_equal(current, blob, 9000);
  size_t size = 0;
  assert_memory_equal(comp_get_data_blob(handler, &size, NULL), second, 8000);
  assert_int_equal(size, 8000);
  comp_data_blob_handler_free(handler);
}

static void the_old_copy_is_freed_then(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  assert_int_equal(send_blob(handler, blob, 6000), 0);
  assert_int_equal(blobs_live, 2);
  assert_int_equal(bytes_live, 11000);
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  assert_int_equal(blobs_live, 1);
  assert_int_equal(bytes_live, 6000);
  /* A new one that nobody got is replaced. */
  assert_int_equal(send_blob(handler, blob, 7000), 0);
  assert_int_equal(send_blob(handler, blob, 8000), 0);
  assert_int_equal(blobs_live, 2);
  assert_int_equal(bytes_live, 14000);
  size_t size = 0;
  assert_non_null(comp_get_data_blob(handler, &size, NULL));
  assert_int_equal(size, 8000);
  assert_int_equal(blobs_live, 1);
  comp_data_blob_handler_free(handler);
}

static void init_makes_a_blob_current(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(comp_init_data_blob(handler, 5000, blob), 0);
  size_t size = 0;
  assert_memory_equal(comp_get_data_blob(handler, &size, NULL), blob, 5000);
  assert_int_equal(size, 5000);
  assert_int_equal(blobs_live, 1);
  /* Zeros; the one before is gone. */
  assert_int_equal(comp_init_data_blob(handler, 300, NULL), 0);
  char* zeros = comp_get_data_blob(handler, &size, NULL);
  assert_int_equal(size, 300);
  assert_zero(zeros, 300);
  assert_int_equal(bytes_live, 300);
  /* 0 bytes: none. */
  assert_int_equal(comp_init_data_blob(handler, 0, NULL), 0);
  assert_null(comp_get_data_blob(handler, &size, NULL));
  assert_int_equal(size, 0);
  assert_int_equal(blobs_live, 0);
  no_memory = true;
  assert_int_equal(comp_init_data_blob(handler, 300, NULL), -ENOMEM);
  close_lines();
  comp_data_blob_handler_free(handler);
}

static void a_blob_arrives_in_fragments(void** state) {
  (void)state;
  static const uint32_t kSizes[] = {1, 4095, 4096, 4097, 8192, 12287, 12288};
  struct comp_data_blob_handler* handler = new_handler(false);
  for (unsigned i = 0; i < COUNT(kSizes); i++) {
    fill(blob, sizeof(blob), i);
    assert_int_equal(send_blob(handler, blob, kSizes[i]), 0);
    size_t size = 0;
    char* current = comp_get_data_blob(handler, &size, NULL);
    assert_int_equal(size, kSizes[i]);
    assert_memory_equal(current, blob, kSizes[i]);
  }
  comp_data_blob_handler_free(handler);
  /* The size of a fragment is the configuration's. */
  struct modmem_config config = test_config();
  config.ipc_fragment_bytes = 256;
  reboot(&config);
  handler = new_handler(false);
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 600, blob), 0);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 256, blob + 256), 0);
  assert_false(comp_is_new_data_blob_available(handler));
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, true, 512, blob + 512), 0);
  assert_memory_equal(comp_get_data_blob(handler, NULL, NULL), blob, 600);
  comp_data_blob_handler_free(handler);
}

static void fragments_out_of_place_are_refused(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  fill(blob, sizeof(blob), 1);
  fill(second, sizeof(second), 2);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  char* current = comp_get_data_blob(handler, NULL, NULL);
  /* No first one before. */
  assert_true(ipc4_comp_data_blob_set(handler, false, false, 4096, second) < 0);
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 12288, second), 0);
  /* Not the next offset. */
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 8192, second), -EINVAL);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 0, second), -EINVAL);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 0xfffff000U, second), -EINVAL);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 4096, NULL), -EINVAL);
  close_lines();
  assert_ptr_equal(comp_get_data_blob(handler, NULL, NULL), current);
  assert_memory_equal(current, blob, 5000);
  /* The right one may follow. */
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, false, 4096, second + 4096), 0);
  assert_int_equal(ipc4_comp_data_blob_set(handler, false, true, 8192, second + 8192), 0);
  assert_memory_equal(comp_get_data_blob(handler, NULL, NULL), second, 12288);
  /* NULL for a handler. */
  assert_int_equal(ipc4_comp_data_blob_set(NULL, true, true, 100, blob), -EINVAL);
  assert_int_equal(comp_init_data_blob(NULL, 100, blob), -EINVAL);
  assert_null(comp_get_data_blob(NULL, NULL, NULL));
  assert_false(comp_is_new_data_blob_available(NULL));
  assert_false(comp_is_current_data_blob_valid(NULL));
  comp_data_blob_set_validator(NULL, NULL);
  close_lines();
  comp_data_blob_handler_free(handler);
}

static struct comp_dev* validated_dev;
static uint32_t validated_size;
static int verdict;

static int validate(struct comp_dev* dev, void* new_data, uint32_t new_data_size) {
  validated_dev = dev;
  validated_size = new_data_size;
  ((char*)new_data)[0] = 'v';
  return verdict;
}

static void a_validator_decides(void** state) {
  (void)state;
  char device = 0;
  blobs_live = 0;
  bytes_live = 0;
  no_memory = false;
  memset(given, 0, sizeof(given));
  struct comp_data_blob_handler* handler = comp_data_blob_handler_new_ext(
      (struct comp_dev*)(void*)&device, false, counting_alloc, counting_free);
  comp_data_blob_set_validator(handler, validate);
  fill(blob, sizeof(blob), 1);
  verdict = 0;
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  assert_ptr_equal(validated_dev, &device);
  assert_int_equal(validated_size, 5000);
  char* current = comp_get_data_blob(handler, NULL, NULL);
  assert_int_equal(current[0], 'v'); /* it may change the blob */
  assert_memory_equal(current + 1, blob + 1, 4999);
  verdict = -EPROTO;
  validated_size = 0;
  assert_int_equal(send_blob(handler, blob, 6000), -EPROTO);
  close_lines();
  assert_int_equal(validated_size, 6000);
  assert_false(comp_is_new_data_blob_available(handler));
  assert_ptr_equal(comp_get_data_blob(handler, NULL, NULL), current);
  assert_int_equal(blobs_live, 1);
  verdict = 0;
  assert_int_equal(send_blob(handler, blob, 7000), 0);
  size_t size = 0;
  assert_non_null(comp_get_data_blob(handler, &size, NULL));
  assert_int_equal(size, 7000);
  /* None: every blob is good. */
  comp_data_blob_set_validator(handler, NULL);
  validated_size = 0;
  assert_int_equal(send_blob(handler, blob, 8000), 0);
  assert_int_equal(validated_size, 0);
  comp_data_blob_handler_free(handler);
}

static void out_of_memory_keeps_the_current_blob(void** state) {
  (void)state;
  struct comp_data_blob_handler* handler = new_handler(false);
  fill(blob, sizeof(blob), 1);
  assert_int_equal(send_blob(handler, blob, 5000), 0);
  char* current = comp_get_data_blob(handler, NULL, NULL);
  no_memory = true;
  assert_int_equal(send_blob(handler, blob, 6000), -ENOMEM);
  close_lines();
  assert_ptr_equal(comp_get_data_blob(handler, NULL, NULL), current);
  assert_memory_equal(current, blob, 5000);
  assert_int_equal(blobs_live, 1);
  no_memory = false;
  assert_int_equal(send_blob(handler, blob, 6000), 0);
  assert_non_null(comp_get_data_blob(handler, NULL, NULL));
  comp_data_blob_handler_free(handler);
  /* modmem's memory: one line. */
  handler = comp_data_blob_handler_new(NULL);
  assert_int_equal(ipc4_comp_data_blob_set(handler, true, false, 0x7ffff000U, blob), -ENOMEM);
  expect_line("no memory");
  comp_data_blob_handler_free(handler);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_module_has_handlers),         TEST(a_handler_takes_memory_where_it_is_told),
      TEST(a_single_blob_handler_has_one), TEST(a_handler_goes_with_its_blobs),
      TEST(get_gives_size_and_crc),        TEST(a_blob_becomes_current_at_the_next_get),
      TEST(the_old_copy_is_freed_then),    TEST(init_makes_a_blob_current),
      TEST(a_blob_arrives_in_fragments),   TEST(fragments_out_of_place_are_refused),
      TEST(a_validator_decides),           TEST(out_of_memory_keeps_the_current_blob),
  };
  return RUN_TESTS("blobs", kTests);
}
