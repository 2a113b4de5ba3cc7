#include "capi/tests/random_driver.h"

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <stdio.h>
#include <string.h>

#include "capi/tests/support.h"

enum {
  MAX_BLOCKS = 500,
  HEAPS = 3,
  REGIONS = 2,
  MODULES = 4,
  VMH_HEAPS = 3,
  POOLS = 2,
  TABLES = 6,
  EDGE = 96, /* bytes of pattern at either end */
};

enum kind { SYSTEM, HEAP, REGION, MODULE, VMH, PAGES, POOL, COPY, KINDS };

struct block {
  char* at;
  size_t bytes;
  size_t alignment;
  enum kind kind;
  unsigned from; /* which heap, region, module ... of its kind; of SYSTEM: its flags */
  unsigned seed;
};

static struct block blocks[MAX_BLOCKS];
static size_t block_count;
static struct random_choices choices;
static uint64_t steps;
static uint64_t faults;
static char* ended; /* the block that ended last, until something takes memory */
static unsigned next_seed;
static uint64_t served[KINDS]; /* requests, resizing aside */
static uint64_t refused[KINDS];

static struct k_heap* heaps[HEAPS];
static struct vregion* regions[REGIONS];
static bool region_is_interim[REGIONS];
static struct processing_module modules[MODULES];
static struct vmh_heap* vmhs[VMH_HEAPS];
static struct objpool_head pools[POOLS];
static char tables[TABLES][3000];
static unsigned copies[TABLES]; /* references that the model holds */

static const size_t kPoolBytes[POOLS] = {40, 333};
static const size_t kTableBytes[TABLES] = {1, 64, 100, 1000, 2048, 3000};

static size_t below(size_t bound) { return choices.below(choices.context, bound); }
static bool one_in(size_t n) { return below(n) == 0; }

/* Mostly small, as modules ask; now and then large. */
static size_t any_bytes(void) {
  switch (below(16)) {
    case 0:
      return 1 + below(200000);
    case 1:
    case 2:
      return 1 + below(20000);
    case 3:
    case 4:
    case 5:
      return 1 + below(4096);
    default:
      return 1 + below(400);
  }
}

static size_t any_alignment(void) { return one_in(3) ? (size_t)1 << below(13) : 0; }

static uint32_t any_flags(void) {
  static const uint32_t kFlags[] = {0,
                                    0,
                                    0x10,
                                    0x100,
                                    0x110,
                                    0x400,
                                    0x500,
                                    SOF_MEM_FLAG_DMA,
                                    SOF_MEM_FLAG_KERNEL,
                                    0x200,
                                    0x210,
                                    0x410,
                                    SOF_MEM_FLAG_L3,
                                    SOF_MEM_FLAG_LOW_POWER,
                                    0x104};
  return kFlags[below(COUNT(kFlags))];
}

/* Says in words what is called, where somebody listens. */
static void say(const char* call, size_t number, size_t other) {
  if (choices.say != NULL) {
    char line[120];
    snprintf(line, sizeof(line), "%llu: %s %zu, %zu", (unsigned long long)steps, call, number,
             other);
    choices.say(line);
  }
}

static size_t edge(size_t bytes) { return bytes < EDGE ? bytes : EDGE; }

static void mark(struct block* block) {
  block->seed = next_seed++;
  fill(block->at, edge(block->bytes), block->seed);
  fill(block->at + block->bytes - edge(block->bytes), edge(block->bytes), block->seed);
}

/* Both ends of a short block are the same bytes: the end was written last. */
static void assert_marked(const struct block* block) {
  const size_t bytes = edge(block->bytes);
  assert_filled(block->at + block->bytes - bytes, bytes, block->seed);
  if (block->bytes >= 2 * (size_t)EDGE) {
    assert_filled(block->at, bytes, block->seed);
  }
}

static void add(char* at, size_t bytes, size_t alignment, enum kind kind, unsigned from) {
  assert_true(block_count < MAX_BLOCKS);
  struct block* block = &blocks[block_count++];
  *block = (struct block){at, bytes, alignment, kind, from, 0};
  served[kind]++;
  assert_true(alignment == 0 || is_aligned(at, alignment));
  if (kind != POOL && kind != COPY) {
    assert_true(modmem_usable_size(at) >= bytes);
  }
  mark(block);
}

static void drop(size_t index) { blocks[index] = blocks[--block_count]; }

static void refuse(enum kind kind) {
  refused[kind]++;
  /* The limiter may have left the line out. */
  assert_true(close_lines() <= 1);
}

/* --- one step of each kind --- */

static void take_system(void) {
  const uint32_t flags = any_flags();
  const size_t bytes = any_bytes();
  const size_t alignment = any_alignment();
  const int how = (int)below(4);
  char* at = NULL;
  size_t given = alignment;
  say("allocate of the system: bytes, alignment", bytes, alignment);
  switch (how) {
    case 0:
      at = rmalloc(flags, bytes);
      given = 0;
      break;
    case 1:
      at = rzalloc(flags, bytes);
      given = 0;
      if (at != NULL) {
        assert_zero(at, bytes);
      }
      break;
    case 2:
      at = rballoc_align(flags, bytes, (uint32_t)alignment);
      break;
    default:
      at = sof_heap_alloc(NULL, flags, bytes, alignment);
      break;
  }
  if (at == NULL) {
    refuse(SYSTEM);
    const uint32_t asked = how == 2 ? flags | SOF_MEM_FLAG_LARGE_BUFFER : flags;
    assert_true(modmem_largest_request(NULL, asked, given) < bytes);
    return;
  }
  add(at, bytes, given, SYSTEM, flags);
}

/* The system's as well: what it gives is a multiple of the least. */
static void take_range(void) {
  const uint32_t flags = any_flags();
  const size_t least = any_bytes();
  const size_t preferred = least + below(5 * least + 1);
  const size_t alignment = any_alignment();
  size_t actual = 0;
  say("allocate a range: at least, at most", least, preferred);
  char* at = modmem_alloc_range(NULL, flags, preferred, least, alignment, &actual);
  if (at == NULL) {
    refuse(SYSTEM);
    const uint32_t asked = flags | SOF_MEM_FLAG_LARGE_BUFFER;
    assert_true(modmem_largest_request(NULL, asked, alignment) < least);
    return;
  }
  assert_true(actual >= least && actual % least == 0 && actual < preferred + least);
  add(at, actual, alignment, SYSTEM, flags);
}

static void take_heap(void) {
  const unsigned from = (unsigned)below(HEAPS);
  const size_t bytes = any_bytes();
  const size_t alignment = any_alignment();
  struct mod_alloc_ctx ctx = {heaps[from], NULL};
  say("allocate of a heap: number, bytes", from, bytes);
  const uint32_t flags = one_in(4) ? SOF_MEM_FLAG_COHERENT : 0;
  char* at = one_in(2) ? sof_heap_alloc(heaps[from], flags, bytes, alignment)
                       : sof_ctx_zalloc(&ctx, flags, bytes, alignment);
  if (at == NULL) {
    refuse(HEAP);
    assert_true(modmem_largest_request(heaps[from], flags, alignment) < bytes);
    return;
  }
  add(at, bytes, alignment, HEAP, from);
}

static void take_region(void) {
  const unsigned from = (unsigned)below(REGIONS);
  const size_t bytes = 1 + below(2000);
  const size_t alignment = any_alignment();
  say("allocate of a region: number, bytes", from, bytes);
  char* at = one_in(3) ? vregion_alloc_coherent_align(regions[from], bytes, alignment)
                       : vregion_alloc_align(regions[from], bytes, alignment);
  if (at == NULL) {
    refuse(REGION);
    if (!region_is_interim[from]) {
      vregion_set_interim(regions[from]);
      region_is_interim[from] = true;
    }
    return;
  }
  assert_true(is_aligned(at, line_bytes()));
  add(at, bytes, alignment, REGION, from);
}

static void take_module(void) {
  const unsigned from = (unsigned)below(MODULES);
  struct processing_module* module = &modules[from];
  const size_t bytes = any_bytes();
  const size_t alignment = any_alignment();
  char* at = NULL;
  say("allocate of a module: number, bytes", from, bytes);
  switch (below(3)) {
    case 0:
      at = mod_alloc_align(module, bytes, alignment);
      break;
    case 1:
      at = mod_balloc_align(module, bytes, alignment);
      break;
    default:
      at = mod_alloc_ext(module, any_flags(), bytes, alignment);
      break;
  }
  if (at == NULL) {
    refuse(MODULE);
    return;
  }
  add(at, bytes, alignment, MODULE, from);
}

static void take_vmh(void) {
  const unsigned from = (unsigned)below(VMH_HEAPS);
  const size_t bytes = any_bytes();
  say("allocate of a virtual heap: number, bytes", from, bytes);
  char* at = vmh_alloc(vmhs[from], (uint32_t)bytes);
  if (at == NULL) {
    refuse(VMH);
    return;
  }
  add(at, bytes, 0, VMH, from);
}

static void take_pages(void) {
  const unsigned pages = (unsigned)(1 + below(6));
  say("allocate pages", pages, 0);
  char* at = vpage_alloc(pages);
  if (at == NULL) {
    refuse(PAGES);
    return;
  }
  add(at, pages * page_bytes(), page_bytes(), PAGES, 0);
}

static void take_object(void) {
  const unsigned from = (unsigned)below(POOLS);
  say("allocate an object: pool", from, 0);
  char* at = objpool_alloc(&pools[from], kPoolBytes[from], SOF_MEM_FLAG_KERNEL);
  if (at == NULL) {
    refuse(POOL);
    return;
  }
  add(at, kPoolBytes[from], 0, POOL, from);
}

static void take_copy(void) {
  const unsigned from = (unsigned)below(TABLES);
  say("get a copy of table", from, 0);
  const char* at = fast_get(NULL, tables[from], kTableBytes[from]);
  if (at == NULL) {
    refuse(COPY);
    assert_int_equal(copies[from], 0);
    return;
  }
  assert_memory_equal(at, tables[from], kTableBytes[from]);
  for (size_t i = 0; i < block_count && copies[from] > 0; i++) {
    if (blocks[i].kind == COPY && blocks[i].from == from) {
      assert_ptr_equal(blocks[i].at, at); /* one copy */
    }
  }
  copies[from]++;
  served[COPY]++;
  blocks[block_count++] = (struct block){(char*)(uintptr_t)at, kTableBytes[from], 0, COPY, from, 0};
}

static void take(void) {
  static void (*const kTake[])(void) = {take_system, take_range,  take_heap, take_region,
                                        take_module, take_module, take_vmh,  take_pages,
                                        take_object, take_copy};
  ended = NULL;
  if (block_count < MAX_BLOCKS) {
    kTake[below(COUNT(kTake))]();
  }
}

static void give(size_t index) {
  const struct block block = blocks[index];
  char* at = one_in(4) && block.kind != POOL && block.kind != COPY
                 ? sys_cache_cached_ptr_get(block.at)
                 : block.at;
  struct mod_alloc_ctx ctx = {heaps[below(HEAPS)], regions[below(REGIONS)]};
  say("free a block: kind, bytes", block.kind, block.bytes);
  if (block.kind != COPY) {
    assert_marked(&block);
  }
  switch (block.kind) {
    case SYSTEM:
    case HEAP:
    case REGION: /* through any of this family's frees */
      switch (below(4)) {
        case 0:
          rfree(at);
          break;
        case 1:
          sof_heap_free(heaps[below(HEAPS)], at);
          break;
        case 2:
          vregion_free(regions[below(REGIONS)], at);
          break;
        default:
          sof_ctx_free(&ctx, at);
          break;
      }
      break;
    case MODULE:
      assert_int_equal(mod_free(&modules[block.from], at), 0);
      break;
    case VMH:
      assert_int_equal(vmh_free(vmhs[block.from], at), 0);
      break;
    case PAGES:
      vpage_free(at);
      break;
    case POOL:
      assert_int_equal(objpool_free(&pools[block.from], at), 0);
      break;
    case COPY:
      assert_memory_equal(at, tables[block.from], kTableBytes[block.from]);
      fast_put(NULL, NULL, at);
      copies[block.from]--;
      break;
    case KINDS:
      fail();
  }
  expect_quiet();
  drop(index);
  ended = block.kind == SYSTEM ? block.at : NULL;
}

static void resize(size_t index) {
  struct block* block = &blocks[index];
  if (block->kind != SYSTEM) {
    return;
  }
  const size_t bytes = any_bytes();
  const size_t kept = bytes < block->bytes ? bytes : block->bytes;
  const size_t alignment = any_alignment();
  ended = NULL;
  say("resize: from, to", block->bytes, bytes);
  fill(block->at, kept < 4000 ? kept : 4000, block->seed);
  char* at = rbrealloc_align(block->at, block->from, bytes, block->bytes, (uint32_t)alignment);
  if (at == NULL) {
    refuse(SYSTEM);
    assert_filled(block->at, kept < 4000 ? kept : 4000, block->seed);
    mark(block);
    return;
  }
  assert_filled(at, kept < 4000 ? kept : 4000, block->seed);
  assert_true(alignment == 0 || is_aligned(at, alignment));
  assert_true(modmem_usable_size(at) >= bytes);
  block->at = at;
  block->bytes = bytes;
  block->alignment = alignment;
  mark(block);
}

/* A pointer that is not the start of a live block, given to each function that takes one. */
static void misuse(size_t index) {
  static char nobodys[64];
  const struct block* block = &blocks[index];
  char* wrong = nobodys + below(sizeof(nobodys));
  if (block->bytes > 64 && block->kind != POOL && block->kind != COPY && one_in(2)) {
    wrong = block->at + 1 + below(block->bytes - 1);
  }
  if (ended != NULL && one_in(2)) {
    wrong = ended; /* a second time */
  }
  const char* function = NULL;
  const size_t how = below(9);
  say("misuse: function, second time", how, wrong == ended);
  switch (how) {
    case 0:
      function = "rfree";
      rfree(wrong);
      break;
    case 1:
      function = "sof_heap_free";
      sof_heap_free(heaps[0], wrong);
      break;
    case 2:
      function = "vregion_free";
      vregion_free(regions[0], wrong);
      break;
    case 3:
      function = "vpage_free";
      vpage_free(wrong);
      break;
    case 4:
      function = "fast_put";
      fast_put(NULL, NULL, wrong);
      break;
    case 5:
      function = "mod_free";
      assert_int_equal(mod_free(&modules[below(MODULES)], wrong), -EINVAL);
      break;
    case 6:
      function = "vmh_free";
      assert_int_equal(vmh_free(vmhs[below(VMH_HEAPS)], wrong), -EINVAL);
      break;
    case 7:
      function = "objpool_free";
      assert_int_equal(objpool_free(&pools[0], wrong), -EINVAL);
      break;
    default:
      function = "rbrealloc_align";
      assert_null(rbrealloc_align(wrong, 0, 100, 100, 64));
      break;
  }
  faults++;
  expect_fault(last_fault()->kind, function, wrong);
  assert_int_not_equal(last_fault()->kind, MODMEM_FAULT_THREAD);
}

static size_t drop_all_of(enum kind kind, unsigned from) {
  size_t count = 0;
  for (size_t i = block_count; i-- > 0;) {
    if (blocks[i].kind == kind && blocks[i].from == from) {
      drop(i);
      count++;
    }
  }
  return count;
}

static void open_heap(unsigned i) {
  heaps[i] = modmem_heap_create("random", i == 0 ? 50000 : 0);
  assert_non_null(heaps[i]);
}

static void open_region(unsigned i) {
  regions[i] = vregion_create(KIB(16) * (i + 1));
  region_is_interim[i] = false;
}

static void open_module(unsigned i) {
  memset(&modules[i], 0, sizeof(modules[i]));
  modules[i].dev_id = 0x100 + i;
  mod_resource_init(&modules[i]);
}

/* Ends something with all that lives in it, and begins it anew. */
static void end_one(void) {
  unsigned i = 0;
  size_t count = 0;
  const size_t what = below(4);
  ended = NULL;
  say("end: kind", what, 0);
  switch (what) {
    case 0:
      i = (unsigned)below(HEAPS);
      count = drop_all_of(HEAP, i);
      assert_int_equal(modmem_heap_destroy(heaps[i]), count);
      assert_int_equal(close_lines(), count);
      open_heap(i);
      break;
    case 1:
      i = (unsigned)below(REGIONS);
      drop_all_of(REGION, i);
      assert_ptr_equal(vregion_get(regions[i]), regions[i]);
      assert_ptr_equal(vregion_put(regions[i]), regions[i]);
      assert_null(vregion_put(regions[i]));
      expect_quiet();
      open_region(i);
      if (regions[i] == NULL) { /* the pool is full: once more with what is given back */
        close_lines();
        while (block_count > 0) {
          give(block_count - 1);
        }
        open_region(i);
        assert_non_null(regions[i]);
      }
      break;
    case 2:
      i = (unsigned)below(MODULES);
      drop_all_of(MODULE, i);
      mod_free_all(&modules[i]);
      expect_quiet();
      assert_int_equal(module_adapter_heap_usage(&modules[i], NULL), 0);
      break;
    default:
      i = (unsigned)below(POOLS);
      drop_all_of(POOL, i);
      objpool_prune(&pools[i]);
      expect_quiet();
      break;
  }
}

static size_t model_bytes(enum kind kind, unsigned from) {
  size_t bytes = 0;
  for (size_t i = 0; i < block_count; i++) {
    bytes += blocks[i].kind == kind && blocks[i].from == from ? blocks[i].bytes : 0;
  }
  return bytes;
}

static bool count_object(void* data, void* count) {
  (void)data;
  ++*(size_t*)count;
  return false;
}

static void compare(bool deep) {
  struct modmem_heap_info heap;
  struct modmem_info info;
  assert_true(modmem_check(deep));
  for (unsigned i = 0; i < HEAPS; i++) {
    assert_int_equal(heap_live(heaps[i]), model_bytes(HEAP, i));
  }
  for (unsigned i = 0; i < MODULES; i++) {
    assert_int_equal(module_adapter_heap_usage(&modules[i], NULL), model_bytes(MODULE, i));
  }
  for (unsigned i = 0; i < VMH_HEAPS; i++) {
    assert_int_equal(modmem_vmh_heap_info(vmhs[i], &heap), 0);
    assert_int_equal(heap.live_bytes, model_bytes(VMH, i));
  }
  for (unsigned i = 0; i < POOLS; i++) {
    size_t count = 0;
    assert_int_equal(objpool_iterate(&pools[i], count_object, &count), -ENOENT);
    assert_int_equal(count * kPoolBytes[i], model_bytes(POOL, i));
  }
  assert_int_equal(modmem_info(&info), 0);
  assert_int_equal(info.faults, faults);
  assert_true(info.mapped_bytes <= info.pool_bytes);
  for (size_t i = 0; i < block_count; i++) {
    if (blocks[i].kind != COPY) {
      assert_marked(&blocks[i]);
    }
  }
}

/* What changes no block. */
static void look_after(void) {
  const unsigned i = (unsigned)below(HEAPS);
  const size_t number = below(12);
  switch (below(3)) {
    case 0: {
      const size_t limit = one_in(2) ? 0 : number * 4000;
      const bool holds = limit == 0 || model_bytes(HEAP, i) <= limit;
      say("limit a heap: number, bytes", i, limit);
      assert_int_equal(modmem_set_limit(heaps[i], limit), holds ? 0 : -EBUSY);
      break;
    }
    case 1: {
      say("premap a heap: number, pages", i, number);
      const int result = modmem_heap_premap(heaps[i], (unsigned)number, 0);
      assert_true(result == 0 || result == -ENOMEM);
      assert_true(close_lines() <= (result == 0 ? 0 : 1));
      break;
    }
    default:
      say("drain", number, 0);
      modmem_drain((uint32_t)number);
      break;
  }
}

static void set_up(void) {
  static const struct vmh_heap_config kSmall = {{{64, 64}, {256, 32}, {1024, 16}, {16384, 4}}};
  block_count = 0;
  faults = 0;
  memset(copies, 0, sizeof(copies));
  memset(served, 0, sizeof(served));
  memset(refused, 0, sizeof(refused));
  steps = 0;
  ended = NULL;
  next_seed = 0;
  for (unsigned i = 0; i < HEAPS; i++) {
    open_heap(i);
  }
  for (unsigned i = 0; i < REGIONS; i++) {
    open_region(i);
    assert_non_null(regions[i]);
  }
  for (unsigned i = 0; i < MODULES; i++) {
    open_module(i);
  }
  for (unsigned i = 0; i < VMH_HEAPS; i++) {
    vmhs[i] = vmh_init_heap(i == 0 ? NULL : &kSmall, i != 1);
    assert_non_null(vmhs[i]);
  }
  for (unsigned i = 0; i < POOLS; i++) {
    memset(&pools[i], 0, sizeof(pools[i]));
    list_init(&pools[i].list);
    pools[i].heap = NULL;
  }
  for (unsigned i = 0; i < TABLES; i++) {
    fill(tables[i], sizeof(tables[i]), i);
  }
}

static void tear_down(void) {
  while (block_count > 0) {
    give(block_count - 1);
  }
  for (unsigned i = 0; i < POOLS; i++) {
    objpool_prune(&pools[i]);
  }
  for (unsigned i = 0; i < VMH_HEAPS; i++) {
    assert_int_equal(vmh_free_heap(vmhs[i]), 0);
  }
  for (unsigned i = 0; i < MODULES; i++) {
    mod_free_all(&modules[i]);
  }
  for (unsigned i = 0; i < REGIONS; i++) {
    assert_null(vregion_put(regions[i]));
  }
  for (unsigned i = 0; i < HEAPS; i++) {
    assert_int_equal(modmem_heap_destroy(heaps[i]), 0);
  }
}

void random_begin(const struct random_choices* from) {
  choices = *from;
  set_up();
}

void random_step(void) {
  /* Memory fills up, and empties again. */
  const size_t takes = ++steps / 1024 % 2 == 0 ? 65 : 30;
  const size_t what = below(100);
  modmem_host_set_core(one_in(4) ? 1 : 0);
  if (block_count == 0 || what < takes) {
    take();
  } else if (what < 90) {
    give(below(block_count));
  } else if (what < 95) {
    resize(below(block_count));
  } else if (what < 99) {
    misuse(below(block_count));
  } else if (one_in(4)) {
    end_one();
  } else {
    look_after();
  }
}

void random_compare(bool deep) {
  compare(deep);
  forget_lines();
}

unsigned char* random_byte(void) {
  for (size_t i = 0; i < block_count; i++) {
    if (blocks[i].kind != COPY) {
      return (unsigned char*)blocks[i].at;
    }
  }
  return NULL;
}

void random_end(void) {
  modmem_host_set_core(0);
  compare(true);
  tear_down();
}

size_t random_kinds(void) { return KINDS; }
uint64_t random_served(size_t kind) { return served[kind]; }
uint64_t random_refused(size_t kind) { return refused[kind]; }
