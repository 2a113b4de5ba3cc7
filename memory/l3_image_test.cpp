// What was saved in L3 and is not as it was is found, and not handed on as good: every bit of it,
// saves that the power failed in, images of others.
#include "memory/l3_image.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "memory/testing/cached_l3_port.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::ArenaMemory;
using testing::CachedL3;
using testing::CachedL3Port;
using testing::NotingObserver;
using testing::preset;
using testing::small_platform;

constexpr std::size_t kPage = config::kPageBytes;

PlatformConfig small_dsp(std::size_t l3_pages = 16) {
  PlatformConfig config = small_platform(true, 24);
  config.l3_bytes = l3_pages * kPage;
  return config;
}

// A DSP that loses its power and boots again.
class Dsp {
 public:
  explicit Dsp(const PlatformConfig& config = small_dsp()) : config_(config), port_(config) {
    boot();
  }
  ~Dsp() { memory_->shutdown(); }
  Dsp(const Dsp&) = delete;
  Dsp& operator=(const Dsp&) = delete;

  void boot() {
    arena_ = std::make_unique<ArenaMemory>(Memory::arena_bytes(config_, port_));
    memory_ = std::make_unique<Memory>();
    seen.faults.clear();
    ASSERT_TRUE(memory_->boot(config_, kElasticPolicy, port_, &seen, arena_->span()));
  }
  void power_cycle() {
    port_.power_cycle();
    memory_.reset();
    boot();
  }
  Memory& memory() { return *memory_; }
  CachedL3& l3() { return port_.cached_l3(); }
  std::vector<std::byte>& image() { return l3().memory(); }
  const PlatformConfig& config() const { return config_; }
  std::size_t live() {
    std::size_t bytes = 0;
    memory_->for_each_heap([&](const HeapReport& heap) {
      bytes += std::strcmp(heap.memory, "l3") == 0 ? heap.live_bytes : 0;
    });
    return bytes;
  }
  unsigned char* take(std::size_t bytes, Owner* owner = nullptr) {
    return static_cast<unsigned char*>(
        memory_->allocate({owner, bytes, 0, flag::kL3, MODMEM_HERE}));
  }
  bool check() { return memory_->check(CheckDepth::deep); }

  NotingObserver seen;

 private:
  PlatformConfig config_;
  CachedL3Port port_;
  std::unique_ptr<ArenaMemory> arena_;
  std::unique_ptr<Memory> memory_;
};

struct Block {
  unsigned char* pointer;
  std::size_t bytes;

  // Whether it has the content that fill() gave it, `seed` of its own.
  bool is_filled(unsigned seed) const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (pointer[i] != static_cast<unsigned char>(seed + i * 7)) {
        return false;
      }
    }
    return true;
  }
  void fill(unsigned seed) const {
    for (std::size_t i = 0; i < bytes; ++i) {
      pointer[i] = static_cast<unsigned char>(seed + i * 7);
    }
  }
  bool is_zero() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (pointer[i] != 0) {
        return false;
      }
    }
    return true;
  }
};

std::vector<Block> take_filled(Dsp& dsp, const std::vector<std::size_t>& sizes) {
  std::vector<Block> blocks;
  for (const std::size_t bytes : sizes) {
    const Block block{dsp.take(bytes), bytes};
    block.fill(static_cast<unsigned>(blocks.size()));
    blocks.push_back(block);
  }
  return blocks;
}

std::size_t offset_of(Dsp& dsp, const unsigned char* pointer) {
  return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(pointer) - dsp.l3().window());
}

SavedHeader header_at(const std::vector<std::byte>& image, int half) {
  SavedHeader header;
  std::memcpy(static_cast<void*>(&header),
              &image[image.size() - kPage + static_cast<std::size_t>(half) * kPage / 2],
              sizeof header);
  return header;
}

// Where the header of the last save stands.
std::size_t header_offset(const std::vector<std::byte>& image) {
  return image.size() - kPage + (header_at(image, 0).magic == SavedHeader::kMagic ? 0 : kPage / 2);
}

// Of 6,000 flipped bits each is found: of the header and the list, whereupon nothing comes back; of
// a block, whereupon all others do.
TEST(L3Image, FindsEveryFlippedBit) {
  const std::vector<std::size_t> sizes = {1, 100, 300, 64, 33};
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, sizes);
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::vector<std::byte> image = dsp.image();
  const std::size_t header = header_offset(image);
  const std::size_t list =
      header_at(image, header % kPage == 0 ? 0 : 1).first_page * config::kPageBytes;

  const auto restore_with_flipped = [&](std::size_t at, unsigned bit) {
    dsp.image() = image;
    dsp.image()[at] ^= std::byte{1} << bit;
    dsp.power_cycle();
    return dsp.memory().restore_l3();
  };
  const auto expect_nothing = [&](std::size_t start, std::size_t bytes) {
    for (std::size_t at = start; at < start + bytes; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        ASSERT_FALSE(restore_with_flipped(at, bit)) << at - start << " " << bit;
        ASSERT_EQ(dsp.live(), 0U);
        ASSERT_EQ(dsp.seen.faults.size(), 1U);
        ASSERT_EQ(dsp.seen.faults[0].status, PointerStatus::damaged);
        ASSERT_EQ(dsp.seen.faults[0].pointer, dsp.l3().window() + header);
      }
    }
  };
  expect_nothing(header, offsetof(SavedHeader, crc) + sizeof(std::uint32_t));
  expect_nothing(list, SavedBlock::list_bytes(static_cast<std::uint32_t>(sizes.size())));
  for (std::size_t hit = 0; hit < blocks.size(); ++hit) {
    for (std::size_t at = 0; at < blocks[hit].bytes; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        ASSERT_TRUE(restore_with_flipped(offset_of(dsp, blocks[hit].pointer) + at, bit));
        ASSERT_EQ(dsp.seen.faults.size(), 1U);
        ASSERT_EQ(dsp.seen.faults[0].pointer, blocks[hit].pointer);
        ASSERT_TRUE(blocks[hit].is_zero());
        for (std::size_t i = 0; i < blocks.size(); ++i) {
          ASSERT_EQ(dsp.memory().status(blocks[i].pointer),
                    i == hit ? PointerStatus::damaged : PointerStatus::live);
          ASSERT_TRUE(i == hit || blocks[i].is_filled(static_cast<unsigned>(i)));
        }
      }
    }
  }
  ASSERT_TRUE(dsp.check());
  // And without any, nothing is.
  dsp.image() = image;
  dsp.power_cycle();
  EXPECT_TRUE(dsp.memory().restore_l3());
  EXPECT_TRUE(dsp.seen.faults.empty());
}

class DamagedBlock : public ::testing::Test {
 protected:
  void SetUp() override {
    Owner* library = dsp_.memory().create_owner(
        dsp_.memory().system(), {.kind = OwnerKind::module, .id = 0x2a, .name = "library"});
    ASSERT_NE(library, nullptr);
    blocks_ = take_filled(dsp_, {500, 2 * kPage});
    hit_ = {dsp_.take(1000, library), 1000};
    line_ = __LINE__ - 1;
    hit_.fill(9);
    ASSERT_TRUE(dsp_.memory().save_l3());
    dsp_.image()[offset_of(dsp_, hit_.pointer) + 999] ^= std::byte{0x40};
    dsp_.power_cycle();
    ASSERT_TRUE(dsp_.memory().restore_l3());
  }

  Dsp dsp_;
  std::vector<Block> blocks_;
  Block hit_{};
  std::uint32_t line_ = 0;
};

TEST_F(DamagedBlock, IsReportedWithItsOwnerItsSiteAndItsAddress) {
  ASSERT_EQ(dsp_.seen.faults.size(), 1U);
  const Fault& fault = dsp_.seen.faults[0];
  EXPECT_EQ(fault.status, PointerStatus::damaged);
  EXPECT_EQ(fault.pointer, hit_.pointer);
  EXPECT_STREQ(fault.heap, "l3");
  EXPECT_EQ(fault.owner_kind, OwnerKind::module);
  EXPECT_EQ(fault.owner_id, 0x2aU);
  EXPECT_EQ(fault.bytes, 1000U);
  EXPECT_NE(fault.site.where, nullptr);
  EXPECT_NE(fault.site.line, 0U);
}

TEST_F(DamagedBlock, IsNoBlockButToWhoFreesIt) {
  Memory& memory = dsp_.memory();
  EXPECT_EQ(memory.status(hit_.pointer), PointerStatus::damaged);
  EXPECT_EQ(memory.usable_size(hit_.pointer), 0U);
  EXPECT_EQ(memory.reallocate(hit_.pointer, {nullptr, 2000, 0, flag::kL3, MODMEM_HERE}), nullptr);
  EXPECT_EQ(dsp_.seen.faults.size(), 2U);
  // Nobody gets its place as long as somebody may ask for it.
  while (const unsigned char* fresh = dsp_.take(16)) {
    ASSERT_TRUE(fresh + 16 <= hit_.pointer || fresh >= hit_.pointer + hit_.bytes);
  }
  EXPECT_TRUE(hit_.is_zero());
  EXPECT_EQ(memory.free(hit_.pointer), PointerStatus::live);
  EXPECT_EQ(memory.system().first_child, nullptr);
  EXPECT_EQ(memory.status(hit_.pointer), PointerStatus::not_live);
  EXPECT_EQ(memory.free(hit_.pointer), PointerStatus::not_live);
  EXPECT_NE(dsp_.take(1000), nullptr);
  EXPECT_TRUE(dsp_.check());
}

TEST_F(DamagedBlock, StaysOneOverTheNextSave) {
  ASSERT_TRUE(dsp_.memory().save_l3());
  dsp_.power_cycle();
  ASSERT_TRUE(dsp_.memory().restore_l3());
  EXPECT_EQ(dsp_.seen.faults.size(), 1U);
  EXPECT_EQ(dsp_.memory().status(hit_.pointer), PointerStatus::damaged);
  EXPECT_TRUE(hit_.is_zero());
  EXPECT_TRUE(blocks_[1].is_filled(1));
  EXPECT_TRUE(dsp_.check());
}

TEST_F(DamagedBlock, IsCountedAsTakenByAnOwnerOfItsOwn) {
  const Owner* damaged = dsp_.memory().system().first_child;
  ASSERT_NE(damaged, nullptr);
  EXPECT_STREQ(damaged->spec.name, "l3-damaged");
  EXPECT_EQ(damaged->own, 1000U);
  EXPECT_EQ(dsp_.memory().system().own, 500 + 2 * kPage);
}

// Power that fails after any line of a second save leaves the first or the second, and of the first
// all that is as it was then.
TEST(L3Image, PowerMayFailInTheMiddleOfASave) {
  const auto play = [](std::size_t lines) {
    Dsp dsp;
    std::vector<Block> blocks = take_filled(dsp, {400, 70, 3000});
    EXPECT_TRUE(dsp.memory().save_l3());
    // One goes, one comes, one changes; the third stays as it is.
    EXPECT_EQ(dsp.memory().free(blocks[0].pointer), PointerStatus::live);
    const Block fresh{dsp.take(3 * kPage), 3 * kPage};
    fresh.fill(77);
    blocks[1].fill(66);
    const std::size_t before = dsp.l3().written();
    dsp.l3().fail_after(lines);
    EXPECT_TRUE(dsp.memory().save_l3());
    const std::size_t needed = dsp.l3().written() - before;
    dsp.power_cycle();
    EXPECT_TRUE(dsp.memory().restore_l3());
    EXPECT_TRUE(dsp.check());
    const bool second = dsp.memory().status(fresh.pointer) == PointerStatus::live;
    if (second) {
      EXPECT_TRUE(fresh.is_filled(77) && blocks[1].is_filled(66) && blocks[2].is_filled(2));
      EXPECT_TRUE(dsp.seen.faults.empty());
      EXPECT_EQ(dsp.live(), 70 + 3000 + 3 * kPage);
    } else {
      EXPECT_EQ(dsp.live(), 400U + 70 + 3000);
      for (unsigned i = 0; i < 3; ++i) {
        const bool whole = dsp.memory().status(blocks[i].pointer) == PointerStatus::live;
        EXPECT_TRUE(whole ? blocks[i].is_filled(i) : i < 2 && blocks[i].is_zero()) << i;
      }
    }
    dsp.power_cycle();
    EXPECT_FALSE(dsp.memory().restore_l3()) << "restored twice";
    return std::pair(second, needed);
  };
  const auto [done, lines] = play(CachedL3::kForever);
  EXPECT_TRUE(done);
  for (std::size_t after = 0; after < lines; ++after) {
    const bool second = play(after).first;
    // The new header comes after all else, and before the end of the old one.
    const std::size_t header = divide_up(sizeof(SavedHeader), small_dsp().cache_line_bytes);
    ASSERT_EQ(second, after + header >= lines) << after << " of " << lines;
    if (HasFailure()) {
      return;
    }
  }
}

TEST(L3Image, OfAnOlderSaveWhatIsAsItWas) {
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, {400, 70, 3000});
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::vector<std::byte> older = dsp.image();
  blocks[1].fill(1234);
  ASSERT_TRUE(dsp.memory().save_l3());
  // The header and the list of the first save, and the blocks of the second.
  for (std::size_t at = 0; at < older.size(); ++at) {
    const bool in_block = at >= offset_of(dsp, blocks[1].pointer) &&
                          at < offset_of(dsp, blocks[1].pointer) + blocks[1].bytes;
    dsp.image()[at] = in_block ? dsp.image()[at] : older[at];
  }
  dsp.power_cycle();
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.memory().status(blocks[0].pointer), PointerStatus::live);
  EXPECT_EQ(dsp.memory().status(blocks[1].pointer), PointerStatus::damaged);
  EXPECT_EQ(dsp.memory().status(blocks[2].pointer), PointerStatus::live);
  // Once its header has gone, that of the older one is not there to be found.
  Dsp other;
  take_filled(other, {400, 70});
  ASSERT_TRUE(other.memory().save_l3());
  ASSERT_TRUE(other.memory().save_l3());
  other.image()[header_offset(other.image())] ^= std::byte{1};
  other.power_cycle();
  EXPECT_FALSE(other.memory().restore_l3());
  EXPECT_EQ(other.live(), 0U);
}

TEST(L3Image, IsNotUsedWhereItEndsEarly) {
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, {400, 5 * kPage});
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::vector<std::byte> image = dsp.image();
  for (std::size_t end = 0; end < image.size(); end += 256) {
    dsp.image() = image;
    std::fill(dsp.image().begin() + static_cast<std::ptrdiff_t>(end), dsp.image().end(),
              std::byte{0});
    dsp.power_cycle();
    ASSERT_FALSE(dsp.memory().restore_l3() && header_offset(image) >= end) << end;
    // From the other end: without its start there is a header, and no block.
    dsp.image() = image;
    std::fill(dsp.image().begin(), dsp.image().begin() + static_cast<std::ptrdiff_t>(end),
              std::byte{0xff});
    dsp.power_cycle();
    dsp.memory().restore_l3();
    for (unsigned i = 0; i < blocks.size(); ++i) {
      ASSERT_TRUE(dsp.memory().status(blocks[i].pointer) != PointerStatus::live ||
                  blocks[i].is_filled(i))
          << end << " " << i;
    }
    ASSERT_TRUE(dsp.check());
  }
}

// A header with another figure in one place, and a good sum.
TEST(L3Image, OfAnotherImageOrPlatformIsNotUsed) {
  Dsp dsp;
  take_filled(dsp, {400, 70});
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::vector<std::byte> image = dsp.image();
  const std::size_t at = header_offset(image);
  const auto restored = [&](const std::function<void(SavedHeader&)>& change) {
    dsp.image() = image;
    SavedHeader header;
    std::memcpy(static_cast<void*>(&header), &image[at], sizeof header);
    change(header);
    header.crc = header.sum();
    std::memcpy(&dsp.image()[at], &header, sizeof header);
    dsp.power_cycle();
    const bool result = dsp.memory().restore_l3();
    EXPECT_EQ(dsp.live(), result ? 470U : 0U);
    EXPECT_EQ(dsp.seen.faults.size(), result ? 0U : 1U);
    return result;
  };
  EXPECT_TRUE(restored([](SavedHeader&) {}));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.window += kPage; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.image ^= 1; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.block_bytes += 8; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.page_bytes *= 2; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.granule_bytes *= 2; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { --header.pool_pages; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.first_page = 0xffff; }));
  EXPECT_FALSE(restored([](SavedHeader& header) { header.blocks = 0x7fffffff; }));
}

TEST(L3Image, OfALargerL3IsNotUsed) {
  Dsp larger(small_dsp(32));
  take_filled(larger, {400, 70});
  ASSERT_TRUE(larger.memory().save_l3());
  Dsp dsp;
  std::memcpy(dsp.image().data() + dsp.image().size() - kPage,
              larger.image().data() + larger.image().size() - kPage, kPage);
  dsp.power_cycle();
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.live(), 0U);
}

TEST(L3Image, IsUsedOnce) {
  Dsp dsp;
  take_filled(dsp, {400});
  ASSERT_TRUE(dsp.memory().save_l3());
  dsp.power_cycle();
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.live(), 400U);
  dsp.power_cycle();
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_TRUE(dsp.seen.faults.empty());
}

// Where the owner of damaged blocks is not to be had, nothing has happened.
TEST(L3Image, ChangesNothingWhereOwnersHaveNoRoom) {
  PlatformConfig config = small_dsp();
  config.max_owners = 8;
  Dsp dsp(config);
  const std::vector<Block> blocks = take_filled(dsp, {400, 500, 600});
  ASSERT_TRUE(dsp.memory().save_l3());
  dsp.image()[offset_of(dsp, blocks[1].pointer)] ^= std::byte{1};
  dsp.power_cycle();
  std::vector<Owner*> owners;
  while (Owner* owner = dsp.memory().create_owner(dsp.memory().system(), {.id = 1})) {
    owners.push_back(owner);
  }
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.live(), 0U);
  EXPECT_TRUE(dsp.check());
  dsp.memory().destroy_owner(*owners.back());
  EXPECT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.memory().status(blocks[0].pointer), PointerStatus::live);
  EXPECT_EQ(dsp.memory().status(blocks[1].pointer), PointerStatus::damaged);
}

// Entries that no save writes, with good sums: nothing of the image is used.
TEST(L3Image, OfEntriesThatCanNotBeIsNotUsed) {
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, {400, 70});
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::vector<std::byte> image = dsp.image();
  const std::size_t at = header_offset(image);
  const auto restored = [&](const std::function<void(SavedBlock&)>& change) {
    dsp.image() = image;
    SavedHeader header;
    std::memcpy(static_cast<void*>(&header), &image[at], sizeof header);
    SavedBlock entries[2];
    std::byte* list = &dsp.image()[header.first_page * kPage];
    std::memcpy(static_cast<void*>(entries), list, sizeof entries);
    change(entries[1]);
    std::memcpy(list, entries, sizeof entries);
    header.list_crc = crc32(entries, sizeof entries);
    header.crc = header.sum();
    std::memcpy(&dsp.image()[at], &header, sizeof header);
    dsp.power_cycle();
    const bool result = dsp.memory().restore_l3();
    EXPECT_EQ(dsp.live(), result ? 470U : 0U);
    EXPECT_TRUE(dsp.check());
    return result;
  };
  EXPECT_FALSE(restored([](SavedBlock& entry) { entry.place = UINT32_MAX; }));
  EXPECT_FALSE(restored([](SavedBlock& entry) { entry.bytes = 0; }));
  EXPECT_FALSE(restored([](SavedBlock& entry) { entry.bytes = entry.room + 1; }));
  EXPECT_FALSE(restored([](SavedBlock& entry) { entry.alignment_log2 = 32; }));
  EXPECT_FALSE(restored([&](SavedBlock& entry) {  // in the place of the other one
    const Block& other = blocks[entry.bytes == blocks[0].bytes ? 1 : 0];
    entry.place = static_cast<std::uint32_t>(offset_of(dsp, other.pointer) / Record::kPlaceBytes);
  }));
  EXPECT_TRUE(restored([](SavedBlock&) {}));
}

TEST(L3Image, IsNotBroughtBackIntoAnL3ThatIsInUse) {
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, {400, 70});
  ASSERT_TRUE(dsp.memory().save_l3());
  EXPECT_FALSE(dsp.memory().restore_l3()) << "its blocks live";
  for (const Block& block : blocks) {
    EXPECT_EQ(dsp.memory().free(block.pointer), PointerStatus::live);
  }
  EXPECT_FALSE(dsp.memory().restore_l3()) << "this very boot saved it";
  dsp.power_cycle();
  ASSERT_NE(dsp.take(16), nullptr);
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.live(), 16U);
  EXPECT_TRUE(dsp.seen.faults.empty());
}

// Each of several damaged blocks is ended by itself; their owner goes with the last one.
TEST(L3Image, DamagedBlocksEndOneByOne) {
  Dsp dsp;
  const std::vector<Block> blocks = take_filled(dsp, {400, 70, 90});
  ASSERT_TRUE(dsp.memory().save_l3());
  for (const Block& block : blocks) {
    dsp.image()[offset_of(dsp, block.pointer)] ^= std::byte{1};
  }
  dsp.power_cycle();
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.seen.faults.size(), 3U);
  Memory& memory = dsp.memory();
  const Owner* damaged = memory.system().first_child;
  ASSERT_NE(damaged, nullptr);
  std::size_t left = 560;
  for (const Block& block : blocks) {
    EXPECT_EQ(damaged->own, left);
    EXPECT_EQ(memory.free(block.pointer, damaged), PointerStatus::damaged) << "by nobody's name";
    EXPECT_EQ(memory.free(block.pointer), PointerStatus::live);
    left -= block.bytes;
    EXPECT_EQ(memory.system().first_child, left != 0 ? damaged : nullptr);
  }
  EXPECT_TRUE(dsp.check());
}

}  // namespace
}  // namespace modmem
