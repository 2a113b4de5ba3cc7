// The calls of a recorded trace, made again: all figures are those of the recording.

#include "trace/rerun.hpp"

#include <algorithm>
#include <random>

#include "trace/ctf_fields.hpp"
#include "trace/recorded_trace_testing.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {
namespace {

// Whether a check of what came out can fail: `differs`, under another policy.
class RerunTest : public testing::RecordedMemoryFixture {
 protected:
  struct Block {
    void* pointer;
    Owner* owner;
  };

  // Reads what was recorded and makes it again, on the same platform under `policy`.
  void replay(const Policy& policy = kElasticPolicy) {
    CtfEvents events(finish());
    rerun_.emplace(events.platform(), policy, ReplayOptions{.time_calls = false});
    CtfEvent event;
    while (events.next(event)) {
      rerun_->play(event);
    }
    EXPECT_TRUE(events.problems().empty());
    EXPECT_EQ(events.lost(), 0U);
  }

  void expect_the_same() {
    const Memory& other = rerun_->memory();
    const ReplayFigures& figures = rerun_->figures();
    EXPECT_EQ(rerun_->places_differ(), 0U);
    EXPECT_EQ(figures.peak_live_bytes, memory_.system().tree_peak);
    EXPECT_EQ(figures.peak_mapped_bytes, memory_.pool().peak_taken() * config::kPageBytes);
    EXPECT_EQ(figures.peak_banks_on, memory_.pool().banks_on_peak());
    EXPECT_EQ(other.pool().taken(), memory_.pool().taken());
    EXPECT_EQ(other.pool().banks_on(), memory_.pool().banks_on());
    EXPECT_EQ(other.metadata_use().peak, memory_.metadata_use().peak);
    EXPECT_EQ(other.metadata_use().live, memory_.metadata_use().live);
    std::vector<HeapReport> mine;
    std::vector<HeapReport> theirs;
    memory_.for_each_heap([&](const HeapReport& heap) { mine.push_back(heap); });
    other.for_each_heap([&](const HeapReport& heap) { theirs.push_back(heap); });
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_STREQ(theirs[i].name, mine[i].name);
      EXPECT_STREQ(theirs[i].kind, mine[i].kind);
      EXPECT_EQ(theirs[i].live_bytes, mine[i].live_bytes) << mine[i].name;
      EXPECT_EQ(theirs[i].peak_live_bytes, mine[i].peak_live_bytes) << mine[i].name;
      EXPECT_EQ(theirs[i].mapped_bytes, mine[i].mapped_bytes) << mine[i].name;
      EXPECT_EQ(theirs[i].peak_mapped_bytes, mine[i].peak_mapped_bytes) << mine[i].name;
      EXPECT_EQ(theirs[i].allocations, mine[i].allocations) << mine[i].name;
      EXPECT_EQ(theirs[i].failures, mine[i].failures) << mine[i].name;
    }
  }

  // Calls of all kinds, `count` of them.
  void play_at_random(unsigned seed, int count) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t end) { return random() % end; };
    std::vector<Owner*> owners{&memory_.system()};
    std::vector<Block> blocks;
    std::uint64_t time = 0;
    void* const stays = memory_.allocate({nullptr, 5000, 0, 0, MODMEM_HERE});
    constexpr Flags kFlags[] = {0,
                                0,
                                0,
                                flag::kCoherent,
                                flag::kDma,
                                flag::kLargeBuffer,
                                flag::kShared,
                                flag::kLowPower,
                                flag::kL3,
                                flag::kUser};
    for (int i = 0; i < count; ++i) {
      host_.set_time_us(time += below(3) == 0 ? below(3000) : 0);
      set_host_core(below(8) == 0 ? static_cast<std::uint32_t>(below(platform().cores)) : 0);
      Owner* const owner = owners[below(owners.size())];
      const std::size_t bytes = 1 + (below(6) == 0 ? below(70000) : below(900));
      const std::size_t alignment = below(4) == 0 ? std::size_t{1} << below(9) : 0;
      Request request{owner, bytes, alignment, kFlags[below(std::size(kFlags))], MODMEM_HERE};
      switch (below(14)) {
        case 0:
          if (owners.size() < 12) {
            OwnerSpec spec{.kind = OwnerKind::pipeline, .id = static_cast<std::uint32_t>(i)};
            spec.name = "p";
            spec.guarantee = below(3) == 0 ? below(30000) : 0;
            HeapSpec heap;
            heap.retained_pages = static_cast<std::uint32_t>(below(3));
            heap.retained_us = 500;
            if (Owner* made = memory_.create_owner(memory_.system(), spec, heap)) {
              owners.push_back(made);
            }
          }
          break;
        case 1:
          if (owners.size() > 1 && owner != &memory_.system() && below(3) == 0) {
            std::erase(owners, owner);
            std::erase_if(blocks, [&](const Block& block) { return block.owner == owner; });
            memory_.release_owner(*owner);
          }
          break;
        case 2:
          memory_.compact(static_cast<std::uint32_t>(below(20)));
          break;
        case 3:
          memory_.drain(static_cast<std::uint32_t>(below(5)));
          memory_.trim();
          break;
        case 4:
          if (!blocks.empty()) {
            Block& block = blocks[below(blocks.size())];
            request.owner = block.owner;
            if (void* moved = memory_.reallocate(block.pointer, request)) {
              block.pointer = moved;
            }
          }
          break;
        case 5: {
          const Range range = memory_.allocate_range(request, bytes + below(50000), 64);
          if (range.pointer != nullptr) {
            blocks.push_back({range.pointer, owner});
          }
          break;
        }
        case 6:
          if (below(4) == 0) {
            const Need need{
                .bytes = 4000, .blocks = 4, .largest = 2000, .alignment = 0, .flags = 0};
            PlanEntry entry;
            entry.owner = owner;
            entry.needs = {&need, 1};
            if (memory_.admit({&entry, 1})) {
              memory_.return_unused(*owner);
            }
          } else if (below(3) == 0) {
            // Some limits are low, and the next requests fail.
            memory_.set_limit(*owner,
                              below(2) == 0 ? owner->tree + below(3000) : OwnerSpec::kNoLimit / 2);
          } else if (below(3) == 0 && owner->heap != kNoHeap) {
            memory_.set_frame_limit(*owner, static_cast<std::uint32_t>(1 + below(60)));
          } else if (below(4) == 0) {
            memory_.pin(stays);
          } else {
            static_cast<void>(memory_.largest_request(request));
          }
          break;
        case 7:
        case 8:
        case 9:
          if (!blocks.empty()) {
            const std::size_t which = below(blocks.size());
            memory_.free(blocks[which].pointer);
            blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(which));
          }
          break;
        default:
          if (void* block = memory_.allocate(request)) {
            blocks.push_back({block, owner});
          }
      }
    }
    set_host_core(0);
  }

  std::optional<Rerun> rerun_;
};

TEST_F(RerunTest, FiguresOfRandomCallsAreThoseOfTheRecording) {
  play_at_random(1, 20000);
  replay();
  expect_the_same();
}

TEST_F(RerunTest, AndOfCallsThatRunOutOfMemory) {
  std::vector<void*> blocks;
  while (void* block = memory_.allocate({nullptr, 20000, 0, 0, MODMEM_HERE})) {
    blocks.push_back(block);
  }
  play_at_random(2, 3000);
  for (void* block : blocks) {
    memory_.free(block);
  }
  replay();
  expect_the_same();
  EXPECT_GT(rerun_->figures().failures, 1U);
}

TEST_F(RerunTest, OwnersOfAllKindsAreMadeAgain) {
  const SlotBundle bundles[] = {{.slot_bytes = 64, .slots = 64}, {.slot_bytes = 4096, .slots = 4}};
  HeapSpec slots{.kind = HeapKind::slots, .bytes = 65536};
  slots.bundles = bundles;
  Owner* of_slots =
      memory_.create_owner(memory_.system(), {.kind = OwnerKind::slots, .name = "slots"}, slots);
  const HeapSpec grows{.kind = HeapKind::region, .bytes = 65536, .grows = true};
  Owner* region =
      memory_.create_owner(memory_.system(), {.kind = OwnerKind::region, .name = "region"}, grows);
  Owner* own = memory_.create_owner(memory_.system(), {.kind = OwnerKind::heap, .name = "own"});
  ASSERT_TRUE(of_slots != nullptr && region != nullptr && own != nullptr);
  for (Owner* owner : {of_slots, region, own}) {
    Owner* module = memory_.create_owner(*owner, {.kind = OwnerKind::module, .name = "m"});
    ASSERT_NE(module, nullptr);
    for (std::size_t bytes = 10; bytes < 200; bytes += 30) {
      static_cast<void>(memory_.allocate({module, bytes, 0, 0, MODMEM_HERE}));
    }
  }
  memory_.get_region(*region);
  memory_.put_region(*region);
  memory_.set_interim(*region);
  static_cast<void>(memory_.allocate({region, 100, 0, 0, MODMEM_HERE}));
  memory_.destroy_owner(*own);
  // A plan that creates its owner.
  const Need need{.bytes = 9000, .blocks = 3, .largest = 5000, .alignment = 0, .flags = 0};
  PlanEntry entry;
  entry.parent = &memory_.system();
  entry.spec = {.kind = OwnerKind::pipeline, .name = "planned"};
  entry.needs = {&need, 1};
  ASSERT_TRUE(memory_.admit({&entry, 1}));
  EXPECT_TRUE(memory_.premap(*entry.owner, 3));
  static_cast<void>(memory_.allocate({entry.owner, 5000, 0, 0, MODMEM_HERE}));
  EXPECT_FALSE(memory_.create_owner(
      memory_.system(),
      {.kind = OwnerKind::pipeline, .name = "large", .guarantee = std::size_t{1} << 30}));
  replay();
  expect_the_same();
  EXPECT_EQ(rerun_->figures().failures, 2U);  // the large slots run out, and the last owner
}

TEST_F(RerunTest, APlanMakesItsHeapsOfSlots) {
  const SlotBundle bundles[] = {{.slot_bytes = 64, .slots = 64}, {.slot_bytes = 4096, .slots = 4}};
  PlanEntry entries[2];
  for (PlanEntry& entry : entries) {
    entry.parent = &memory_.system();
    entry.spec = {.kind = OwnerKind::slots, .name = "planned"};
    entry.heap = {.kind = HeapKind::slots, .bytes = 65536};
    entry.heap.bundles = std::span(bundles).subspan(static_cast<std::size_t>(&entry - entries));
  }
  ASSERT_TRUE(memory_.admit(entries));
  for (const PlanEntry& entry : entries) {
    ASSERT_NE(memory_.allocate({entry.owner, 50, 0, 0, MODMEM_HERE}), nullptr);
  }
  replay();
  expect_the_same();
}

TEST_F(RerunTest, APlanThatIsAdmittedOnlyNowIsUndone) {
  const Need need{.bytes = std::size_t{1} << 20, .blocks = 1, .largest = std::size_t{1} << 20};
  PlanEntry entry;
  entry.parent = &memory_.system();
  entry.spec = {.kind = OwnerKind::pipeline, .name = "large"};
  entry.needs = {&need, 1};
  const std::vector<PlanEntry> five(5, entry);
  std::vector<PlanEntry> plan = five;
  ASSERT_FALSE(memory_.admit(plan));
  CtfEvents events(finish());
  PlatformConfig larger = events.platform();
  larger.sram_bytes *= 4;
  larger.window_bytes *= 4;
  rerun_.emplace(larger, kElasticPolicy, ReplayOptions{.time_calls = false});
  CtfEvent event;
  while (events.next(event)) {
    rerun_->play(event);
  }
  EXPECT_EQ(rerun_->places_differ(), 1U);
  rerun_->memory().for_each_heap([](const HeapReport& heap) { EXPECT_STRNE(heap.name, "large"); });
  EXPECT_EQ(rerun_->memory().pool().reserved(), 0U);
}

TEST_F(RerunTest, ARegionWithoutAHeapIsNone) {
  Rerun rerun(platform(), kElasticPolicy, ReplayOptions{.time_calls = false});
  CtfEvent event;
  event.kind = EventKind::owner_begin;
  event.fields[field::kLimit] = OwnerSpec::kNoLimit;
  event.fields[field::kFrameLimit] = PageAccount::kNoLimit;
  rerun.play(event);  // the system
  for (const OwnerKind kind : {OwnerKind::region, OwnerKind::slots}) {
    event.kind = EventKind::owner_begin;
    event.fields[field::kKind] = static_cast<std::uint64_t>(kind);
    event.fields[field::kHandle] = 7;
    rerun.play(event);
    event.kind = EventKind::allocate;
    event.fields = {};
    event.fields[field::kOwner] = 7;
    event.fields[field::kBytes] = 100;
    rerun.play(event);
  }
  EXPECT_EQ(rerun.places_differ(), 4U);
  EXPECT_EQ(rerun.figures().allocations, 0U);
}

TEST_F(RerunTest, APlatformWithoutACoreIsRefused) {
  set_host_core(1);
  static_cast<void>(memory_.allocate({nullptr, 10, 0, 0, MODMEM_HERE}));
  set_host_core(0);
  CtfEvents events(finish());
  PlatformConfig one = events.platform();
  one.cores = 1;
  rerun_.emplace(one, kElasticPolicy, ReplayOptions{.time_calls = false});
  CtfEvent event;
  EXPECT_THROW(
      {
        while (events.next(event)) {
          rerun_->play(event);
        }
      },
      TraceError);
}

TEST_F(RerunTest, UnderAnotherPolicyThingsLieElsewhere) {
  play_at_random(3, 2000);
  replay(kSinglePolicy);
  EXPECT_GT(rerun_->places_differ(), 0U);
}

}  // namespace
}  // namespace modmem::trace
