/*
 * random_operations: over the whole interface, against a simple model: an array of the blocks that
 * live, with a pattern at both ends of each. MODMEM_RANDOM_SEED and MODMEM_RANDOM_STEPS replace the
 * seed and the number of steps; a failure names them.
 *
 * After each step:
 *   a block starts on a multiple of its alignment and is as large as it was asked to be
 *   what is written to a block stays there until it ends, whatever happens to others
 *   a request that fails, fails for memory: it is larger than modmem_largest_request()
 *   misuse is reported, each time, and changes nothing
 * and every now and then:
 *   live bytes of heaps, modules, and virtual memory heaps are the sums of the model
 *   modmem_check() holds; the number of faults is the model's
 * At the end everything goes, and support.h finds the pool as it was.
 */
#include <inttypes.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <stdlib.h>
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
static uint64_t random_state;
static uint64_t faults;
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

static uint64_t any(void) { /* xorshift64 */
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static size_t below(size_t bound) { return (size_t)(any() % bound); }
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

static void take_heap(void) {
  const unsigned from = (unsigned)below(HEAPS);
  const size_t bytes = any_bytes();
  const size_t alignment = any_alignment();
  struct mod_alloc_ctx ctx = {heaps[from], NULL};
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
  char* at = vmh_alloc(vmhs[from], (uint32_t)bytes);
  if (at == NULL) {
    refuse(VMH);
    return;
  }
  add(at, bytes, 0, VMH, from);
}

static void take_pages(void) {
  const unsigned pages = (unsigned)(1 + below(6));
  char* at = vpage_alloc(pages);
  if (at == NULL) {
    refuse(PAGES);
    return;
  }
  add(at, pages * page_bytes(), page_bytes(), PAGES, 0);
}

static void take_object(void) {
  const unsigned from = (unsigned)below(POOLS);
  char* at = objpool_alloc(&pools[from], kPoolBytes[from], SOF_MEM_FLAG_KERNEL);
  if (at == NULL) {
    refuse(POOL);
    return;
  }
  add(at, kPoolBytes[from], 0, POOL, from);
}

static void take_copy(void) {
  const unsigned from = (unsigned)below(TABLES);
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
  static void (*const kTake[])(void) = {take_system, take_system, take_heap, take_region,
                                        take_module, take_module, take_vmh,  take_pages,
                                        take_object, take_copy};
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
}

static void resize(size_t index) {
  struct block* block = &blocks[index];
  if (block->kind != SYSTEM) {
    return;
  }
  const size_t bytes = any_bytes();
  const size_t kept = bytes < block->bytes ? bytes : block->bytes;
  const size_t alignment = any_alignment();
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
  const char* function = NULL;
  switch (below(9)) {
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
  switch (below(4)) {
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

static void set_up(void) {
  static const struct vmh_heap_config kSmall = {{{64, 64}, {256, 32}, {1024, 16}, {16384, 4}}};
  block_count = 0;
  faults = 0;
  memset(copies, 0, sizeof(copies));
  memset(served, 0, sizeof(served));
  memset(refused, 0, sizeof(refused));
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

static uint64_t number(const char* name, uint64_t fallback) {
  const char* value = getenv(name);
  return value != NULL && value[0] != '\0' ? strtoull(value, NULL, 0) : fallback;
}

static void random_operations(void** state) {
  (void)state;
  const uint64_t seed = number("MODMEM_RANDOM_SEED", 20261122);
  const uint64_t steps = number("MODMEM_RANDOM_STEPS", 30000);
  print_message("MODMEM_RANDOM_SEED=%" PRIu64 " MODMEM_RANDOM_STEPS=%" PRIu64 "\n", seed, steps);
  random_state = seed == 0 ? 1 : seed;
  set_up();
  for (uint64_t step = 1; step <= steps; step++) {
    /* Memory fills up, and empties again. */
    const size_t takes = step / 1024 % 2 == 0 ? 65 : 30;
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
    }
    if (step % 512 == 0) {
      compare(step % 4096 == 0);
      forget_lines();
    }
  }
  modmem_host_set_core(0);
  compare(true);
  for (int kind = 0; kind < KINDS; kind++) {
    print_message("kind %d: %" PRIu64 " served, %" PRIu64 " refused\n", kind, served[kind],
                  refused[kind]);
    assert_true(served[kind] >= steps / 200);
  }
  tear_down();
}

int main(void) {
  static const struct CMUnitTest kTests[] = {TEST(random_operations)};
  return RUN_TESTS("random", kTests);
}
