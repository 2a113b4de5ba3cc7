/* What modules take and give back: 18 to 27 and 36 of docs/regressions.md. */
#include "capi/tests/needs/needs.h"

enum { MODULE_ID = 0x30007 };

/*
 * The records of a module's blocks lie in chunks. The chunks went, the list of free records kept
 * them: what the module took next wrote into freed memory.
 */
static void s18_records_go_with_their_chunks(void** state) {
  enum { BLOCKS = 40 }; /* chunks of 2, 4, 8, 16 and 32 records */
  struct processing_module mod;
  void* blocks[BLOCKS];
  size_t mapped = 0;
  (void)state;
  begin_module(&mod, MODULE_ID);
  for (unsigned round = 0; round < 4; round++) {
    for (unsigned i = 0; i < BLOCKS; i++) {
      blocks[i] = mod_alloc(&mod, 24 + i);
      assert_non_null(blocks[i]);
      fill(blocks[i], 24 + i, i);
    }
    for (unsigned i = round; i < BLOCKS; i += 3) { /* free records in every chunk */
      assert_int_equal(mod_free(&mod, blocks[i]), 0);
    }
    for (unsigned i = round; i < BLOCKS; i += 6) { /* some of them in use again */
      blocks[i] = mod_alloc(&mod, 24 + i);
      fill(blocks[i], 24 + i, i);
    }
    for (unsigned i = round; i < BLOCKS; i += 6) {
      assert_filled(blocks[i], 24 + i, i);
    }
    mod_free_all(&mod);
    assert_int_equal(module_adapter_heap_usage(&mod, NULL), 0);
    mapped = round == 0 ? pool_mapped() : mapped;
    assert_int_equal(pool_mapped(), mapped);
  }
}

/* A request that failed had taken its record already, and kept it. */
static void s19_a_failed_request_keeps_no_record(void** state) {
  struct processing_module mod;
  struct modmem_info info;
  (void)state;
  begin_module(&mod, MODULE_ID);
  assert_non_null(mod_alloc(&mod, 10));
  assert_int_equal(modmem_info(&info), 0);
  const size_t mapped = info.mapped_bytes;
  const size_t metadata = info.metadata_bytes;
  for (unsigned i = 0; i < 1000; i++) {
    assert_null(mod_alloc(&mod, (size_t)64 << 20));
    assert_null(mod_alloc(&mod, 0));
    assert_null(mod_balloc_align(&mod, 100, 48));
  }
  close_lines();
  forget_lines();
  assert_int_equal(modmem_info(&info), 0);
  assert_int_equal(info.mapped_bytes, mapped);
  assert_int_equal(info.metadata_bytes, metadata);
  assert_int_equal(module_adapter_heap_usage(&mod, NULL), 10);
  mod_free_all(&mod);
}

/* A module whose init fails at its n-th step, as a framework runs it. */
static int init_failing_at(struct processing_module* mod, unsigned step) {
  static const unsigned char table[300] = {1};
  void* blocks[3] = {NULL};
  for (unsigned i = 0; i < step && i < 3; i++) {
    blocks[i] = mod_alloc(mod, 392);
    assert_non_null(blocks[i]);
  }
  if (step > 3) {
    assert_non_null(mod_fast_get(mod, table, sizeof(table)));
  }
  if (step > 4) {
    assert_non_null(mod_data_blob_handler_new(mod));
  }
  return -ENOMEM;
}

/* Nobody released what an init had taken before it failed. */
static void s19_a_failed_init_leaves_nothing(void** state) {
  struct processing_module mod;
  size_t mapped = 0;
  (void)state;
  for (unsigned round = 0; round < 20; round++) {
    begin_module(&mod, MODULE_ID);
    assert_int_equal(init_failing_at(&mod, round % 6), -ENOMEM);
    mod_free_all(&mod); /* what the framework does then */
    assert_int_equal(module_adapter_heap_usage(&mod, NULL), 0);
    mapped = round == 0 ? pool_mapped() : mapped;
    assert_int_equal(pool_mapped(), mapped);
  }
}

/* An init freed what is the framework's to free, which then did so again. */
static void s20_what_init_freed_the_framework_frees_again(void** state) {
  struct processing_module* dev = rzalloc(0, sizeof(*dev));
  struct processing_module other;
  (void)state;
  assert_non_null(dev);
  begin_module(dev, MODULE_ID);
  begin_module(&other, MODULE_ID + 1);
  void* private_data = mod_zalloc(dev, 100);
  void* theirs = mod_alloc(&other, 100);
  fill(theirs, 100, 1);
  assert_int_equal(mod_free(dev, private_data), 0); /* init, as it fails */
  mod_free_all(dev);
  mod_free_all(dev); /* the framework, on both of its paths */
  assert_int_equal(mod_free(dev, private_data), -EINVAL);
  assert_int_equal(close_lines(), 1);
  rfree(dev);
  void* const gone = dev;
  rfree(gone);
  assert_ptr_equal(last_fault()->pointer, gone);
  assert_string_equal(last_fault()->function, "rfree");
  assert_true(last_fault()->fatal);
  assert_int_equal(close_lines(), 1);
  assert_filled(theirs, 100, 1);
  assert_int_equal(mod_free(&other, theirs), 0);
  mod_free_all(&other);
}

/* A reset that is called twice: meanwhile the place is another module's. */
static void s21_a_second_reset_frees_nothing(void** state) {
  struct processing_module mod;
  struct processing_module other;
  void* theirs[8];
  (void)state;
  begin_module(&mod, MODULE_ID);
  begin_module(&other, MODULE_ID + 1);
  void* keep = mod_alloc(&mod, 50); /* the accounts, and the page, stay */
  assert_non_null(mod_alloc(&other, 50));
  void* pins = mod_alloc(&mod, 200);
  void* behind = mod_alloc(&mod, 50);
  const uintptr_t was = address_of(pins);
  assert_int_equal(mod_free(&mod, pins), 0);
  bool reused = false;
  for (unsigned i = 0; i < COUNT(theirs); i++) {
    theirs[i] = mod_alloc(&other, 200);
    fill(theirs[i], 200, i);
    reused = reused || address_of(theirs[i]) == was;
  }
  if (host() != HOST_LIBC && policy_is("elastic")) {
    assert_true(reused); /* else this test shows nothing */
  }
  assert_int_equal(mod_free(&mod, pins), -EINVAL);
  assert_int_equal(close_lines(), 1);
  for (unsigned i = 0; i < COUNT(theirs); i++) {
    assert_filled(theirs[i], 200, i);
    assert_int_equal(mod_free(&other, theirs[i]), 0);
  }
  assert_int_equal(mod_free(&mod, keep), 0);
  assert_int_equal(mod_free(&mod, behind), 0);
  mod_free_all(&mod);
  mod_free_all(&other);
}

/*
 * A pipeline was deleted while its buffer was still bound: the module wrote into it as it went.
 * What both ends use lies in a region that goes with the last of them.
 */
static void s22_a_buffer_outlives_the_pipeline_that_is_not_unbound(void** state) {
  struct buffer {
    struct vregion* region;
    bool source_bound, sink_bound;
    char data[512];
  };
  (void)state;
  for (unsigned source_first = 0; source_first < 2; source_first++) {
    struct vregion* region = vregion_create(page_bytes());
    struct mod_alloc_ctx context = {NULL, region};
    struct buffer* buffer = sof_ctx_zalloc(&context, SOF_MEM_FLAG_COHERENT, sizeof(*buffer), 0);
    assert_non_null(buffer);
    const uintptr_t was = address_of(buffer);
    buffer->region = vregion_get(region);
    buffer->source_bound = buffer->sink_bound = true;
    for (unsigned end = 0; end < 2; end++) {
      if ((end == 0) == (source_first == 1)) {
        buffer->source_bound = false;
      } else {
        buffer->sink_bound = false;
      }
      fill(buffer->data, sizeof(buffer->data), end);
      assert_filled(buffer->data, sizeof(buffer->data), end);
      assert_int_equal(vregion_put(region) == NULL, end == 1);
    }
    assert_emptied(was);
  }
}

/* One playback of a module in the data-processing domain, with all kinds of memory. */
static void play_once(unsigned round) {
  static const unsigned char table[2500] = {7};
  static const char fragment[100] = {1};
  struct processing_module mod;
  struct vregion* region = vregion_create(7 * page_bytes());
  struct k_heap* heap = modmem_heap_create("dp", 0);
  struct mod_alloc_ctx context = {heap, region};
  begin_module(&mod, MODULE_ID + round % 5);
  assert_non_null(heap);
  assert_non_null(sof_ctx_alloc(&context, 0, 4096, 0));
  vregion_set_interim(region);
  void* task = sof_ctx_alloc(&context, SOF_MEM_FLAG_COHERENT, 392, 0);
  assert_non_null(task);
  assert_non_null(mod_alloc(&mod, 392));
  assert_non_null(mod_balloc(&mod, 5000));
  assert_non_null(mod_fast_get(&mod, table, sizeof(table)));
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&mod);
  assert_non_null(handler);
  assert_int_equal(
      modmem_data_blob_set(handler, true, false, 2 * sizeof(fragment), fragment, sizeof(fragment)),
      0);
  void* pages = vpage_alloc(1 + round % 3);
  assert_non_null(pages);
  struct objpool_head pool = {.list = LIST_INIT(pool.list), .heap = heap};
  void* object = objpool_alloc(&pool, 40, 0);
  assert_non_null(object);
  assert_int_equal(objpool_free(&pool, object), 0);
  objpool_prune(&pool);
  vpage_free(pages);
  if (round % 2 == 0) {
    mod_data_blob_handler_free(&mod, handler);
  }
  mod_free_all(&mod);
  sof_ctx_free(&context, task);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  assert_null(vregion_put(region));
}

/* 392 bytes were lost with each playback. */
static void s23_a_thousand_playbacks_leave_a_flat_line(void** state) {
  (void)state;
  play_once(0); /* what the first one brings stays, as metadata for the next */
  struct modmem_info first;
  assert_int_equal(modmem_info(&first), 0);
  const size_t live = heap_live(NULL);
  for (unsigned round = 1; round <= 1000; round++) {
    play_once(round);
    struct modmem_info now;
    assert_int_equal(modmem_info(&now), 0);
    assert_int_equal(now.mapped_bytes, first.mapped_bytes);
    assert_int_equal(now.metadata_bytes, first.metadata_bytes);
    assert_int_equal(now.banks_on, first.banks_on);
    assert_int_equal(now.owners, first.owners);
    assert_int_equal(heap_live(NULL), live);
  }
}

/* The sections of a library: one of no bytes ended the clean-up, and those behind it stayed. */
static void s24_a_section_of_no_bytes_does_not_end_the_clean_up(void** state) {
  static const size_t sections[] = {6000, 700, 0, 3000}; /* text, rodata, data, bss */
  void* blocks[COUNT(sections)];
  (void)state;
  const size_t live = heap_live(NULL);
  for (unsigned i = 0; i < COUNT(sections); i++) {
    blocks[i] = rballoc(SOF_MEM_FLAG_USER, sections[i]);
    assert_int_equal(blocks[i] == NULL, sections[i] == 0);
  }
  for (unsigned i = 0; i < COUNT(sections); i++) {
    rfree(blocks[i]);
  }
  assert_int_equal(heap_live(NULL), live);

  struct processing_module mod;
  begin_module(&mod, MODULE_ID);
  for (unsigned i = 0; i < COUNT(sections); i++) {
    assert_int_equal(mod_alloc(&mod, sections[i]) == NULL, sections[i] == 0);
    close_lines();
  }
  assert_int_equal(module_adapter_heap_usage(&mod, NULL), 9700);
  mod_free_all(&mod);
  assert_int_equal(module_adapter_heap_usage(&mod, NULL), 0);
}

static int refuse(struct comp_dev* dev, void* data, uint32_t size) {
  (void)dev;
  (void)data;
  return size > 0 ? -EINVAL : 0;
}

/*
 * Error branches read what they had just freed. Here each of the library's own is taken, for the
 * checkers to see; and such a read is seen, as the place is gone.
 */
static void s25_error_branches_read_nothing_that_is_freed(void** state) {
  static const unsigned char table[600] = {3};
  static const char fragment[100] = {1};
  struct processing_module mod;
  size_t size = 0;
  (void)state;
  begin_module(&mod, MODULE_ID);
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&mod);
  assert_non_null(handler);
  assert_int_equal(comp_init_data_blob(handler, sizeof(fragment), fragment), 0);
  comp_data_blob_set_validator(handler, refuse);
  assert_int_equal(
      modmem_data_blob_set(handler, true, true, sizeof(fragment), fragment, sizeof(fragment)),
      -EINVAL);
  assert_non_null(comp_get_data_blob(handler, &size, NULL));
  assert_int_equal(size, sizeof(fragment));
  assert_non_null(mod_fast_get(&mod, table, sizeof(table)));
  assert_null(mod_fast_get(&mod, table, sizeof(table) - 1));
  mod_data_blob_handler_free(&mod, handler);
  mod_data_blob_handler_free(&mod, handler);
  mod_fast_put(&mod, table);
  mod_free_all(&mod);
  close_lines();
  forget_lines();

  char* block = vpage_alloc(1);
  assert_non_null(block);
  fill(block, page_bytes(), 1);
  const uintptr_t was = address_of(block);
  vpage_free(block);
  assert_emptied(was);
}

/* A list was walked on from, or taken apart with, an item that was freed before. */
static void s26_the_middle_of_a_list_goes_first(void** state) {
  static const unsigned order[] = {2, 0, 4, 3, 1};
  struct k_heap* heaps[COUNT(order)];
  struct processing_module mods[COUNT(order)];
  struct vregion* regions[COUNT(order)];
  (void)state;
  for (unsigned i = 0; i < COUNT(order); i++) {
    heaps[i] = modmem_heap_create("listed", 0);
    regions[i] = vregion_create(page_bytes());
    begin_module(&mods[i], MODULE_ID + i);
    assert_non_null(sof_heap_alloc(heaps[i], 0, 100, 0));
    assert_non_null(vregion_alloc(regions[i], 100));
    assert_non_null(mod_alloc(&mods[i], 100));
  }
  for (unsigned i = 0; i < COUNT(order); i++) {
    assert_int_equal(modmem_heap_destroy(heaps[order[i]]), 1);
    assert_int_equal(close_lines(), 1);
    assert_null(vregion_put(regions[order[i]]));
    mod_free_all(&mods[order[i]]);
    assert_true(modmem_check(true));
    for (unsigned rest = i + 1; rest < COUNT(order); rest++) {
      assert_int_equal(heap_live(heaps[order[rest]]), 100);
      assert_int_equal(module_adapter_heap_usage(&mods[order[rest]], NULL), 100);
    }
  }
  /* An item that was taken out is a list of its own: to take it out again does no harm. */
  struct list_item list = LIST_INIT(list);
  struct list_item items[3];
  for (unsigned i = 0; i < COUNT(items); i++) {
    list_item_append(&items[i], &list);
  }
  list_item_del(&items[1]);
  list_item_del(&items[1]);
  assert_ptr_equal(items[0].next, &items[2]);
  assert_ptr_equal(items[2].prev, &items[0]);
  list_item_del(&items[0]);
  list_item_del(&items[2]);
  assert_true(list_is_empty(&list));
}

/* What is taken once was taken again with every power cycle of a core. */
static void s27_power_cycles_of_a_core_take_nothing(void** state) {
  (void)state;
  void* once = rzalloc(SOF_MEM_FLAG_KERNEL, 100);
  assert_non_null(once);
  struct modmem_info first;
  assert_int_equal(modmem_info(&first), 0);
  for (unsigned cycle = 0; cycle < 100; cycle++) {
    modmem_host_set_core(cycle % 2 + 1); /* up: the core takes and gives what it needs, once */
    void* scratch = rmalloc(SOF_MEM_FLAG_KERNEL, 50);
    assert_non_null(scratch);
    rfree(scratch);
    modmem_host_set_core(0);
    struct modmem_info now;
    assert_int_equal(modmem_info(&now), 0);
    assert_int_equal(now.mapped_bytes, first.mapped_bytes);
    assert_int_equal(now.metadata_bytes, first.metadata_bytes);
    assert_int_equal(now.owners, first.owners);
  }
  rfree(once);
}

/* The same for all of the DSP: what L3 keeps is there once, not once more with every cycle. */
static void s27_power_cycles_keep_l3_as_it_is(void** state) {
  (void)state;
  void* kept = rmalloc(SOF_MEM_FLAG_L3, 5000);
  assert_non_null(kept);
  fill(kept, 5000, 9);
  size_t mapped = 0;
  for (unsigned cycle = 0; cycle < 20; cycle++) {
    l3_heap_save();
    assert_int_equal(modmem_host_power_cycle(), 0);
    assert_filled(kept, 5000, 9);
    assert_int_equal(modmem_usable_size(kept) >= 5000, true);
    mapped = cycle == 0 ? pool_mapped() : mapped;
    assert_int_equal(pool_mapped(), mapped);
  }
  rfree(kept);
}

/*
 * A history buffer of several pieces: the last one was missing where memory was short, and the ring
 * had an end. One request has no pieces: it is there, as large as it says, or it is not.
 */
static void s36_a_history_buffer_is_whole_or_not_there(void** state) {
  enum { PREFERRED = 2100 * 16 * 2 * 4, PERIOD = 3840, MOST = 40 }; /* 2.1 s, 16 kHz, 2 channels */
  char* buffers[MOST];
  size_t sizes[MOST];
  unsigned count = 0;
  (void)state;
  for (; count < MOST; count++) {
    size_t actual = 1;
    buffers[count] = modmem_alloc_range(NULL, SOF_MEM_FLAG_USER, PREFERRED, PERIOD, 0, &actual);
    if (buffers[count] == NULL) {
      assert_int_equal(actual, 0);
      break;
    }
    assert_int_equal(actual % PERIOD, 0);
    assert_in_range(actual, PERIOD, PREFERRED + PERIOD - 1);
    sizes[count] = actual;
    fill(buffers[count], actual, count);
    if (actual == PERIOD) {
      count++;
      break;
    }
  }
  close_lines();
  assert_in_range(count, 2, MOST - 1);
  for (unsigned i = 0; i < count; i++) {
    assert_filled(buffers[i], sizes[i], i);
    rfree(buffers[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(s18_records_go_with_their_chunks),
      TEST(s19_a_failed_request_keeps_no_record),
      TEST(s19_a_failed_init_leaves_nothing),
      TEST(s20_what_init_freed_the_framework_frees_again),
      TEST(s21_a_second_reset_frees_nothing),
      TEST(s22_a_buffer_outlives_the_pipeline_that_is_not_unbound),
      TEST(s23_a_thousand_playbacks_leave_a_flat_line),
      TEST(s24_a_section_of_no_bytes_does_not_end_the_clean_up),
      TEST(s25_error_branches_read_nothing_that_is_freed),
      TEST(s26_the_middle_of_a_list_goes_first),
      TEST(s27_power_cycles_of_a_core_take_nothing),
      TEST(s27_power_cycles_keep_l3_as_it_is),
      TEST(s36_a_history_buffer_is_whole_or_not_there),
  };
  return RUN_TESTS("needs: modules", tests);
}
