// BlobHandler: what arrives in fragments is current when complete and asked for, and not before.

#include "module/blob_handler.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/crc32.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

// Memory that is not the module's, as a framework may give it.
struct OwnFunctions {
  static inline int live = 0;
  static inline bool empty = false;
  static void* allocate(std::size_t bytes) {
    if (empty) {
      return nullptr;
    }
    ++live;
    return std::malloc(bytes);
  }
  static void free(void* block) {
    --live;
    std::free(block);
  }
  static constexpr BlobFunctions kBoth{allocate, free};
};

class BlobHandlerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    OwnFunctions::live = 0;
    OwnFunctions::empty = false;
    ASSERT_TRUE(module_.open(memory_, system_.pipeline(), {OwnerKind::module, 1, "module"}));
  }
  void TearDown() override {
    EXPECT_TRUE(seen_.faults.empty());
    EXPECT_EQ(OwnFunctions::live, 0);
    EXPECT_TRUE(system_.check());
  }

  static BlobStatus first(BlobHandler& handler, std::size_t total, const std::string& part) {
    return handler.set_fragment(true, part.size() == total, static_cast<std::uint32_t>(total),
                                part.data(), part.size());
  }
  static BlobStatus next(BlobHandler& handler, std::size_t offset, const std::string& part,
                         bool last) {
    return handler.set_fragment(false, last, static_cast<std::uint32_t>(offset), part.data(),
                                part.size());
  }
  // The whole blob at once.
  static BlobStatus set(BlobHandler& handler, const std::string& blob) {
    return first(handler, blob.size(), blob);
  }
  static std::optional<std::string> get(BlobHandler& handler) {
    std::size_t bytes = 77;
    std::uint32_t crc = 77;
    const void* data = handler.get(&bytes, &crc);
    EXPECT_EQ(crc, crc32(data, bytes));
    if (data == nullptr) {
      EXPECT_EQ(bytes, 0U);
      return std::nullopt;
    }
    return std::string(static_cast<const char*>(data), bytes);
  }

  TestSystem system_{preset("mtl")};
  Memory& memory_ = system_.memory();
  testing::NotingObserver& seen_ = system_.seen();
  ModuleMemory module_;
};

TEST_F(BlobHandlerTest, HasNothingAtFirst) {
  BlobHandler handler(module_);
  EXPECT_EQ(get(handler), std::nullopt);
  EXPECT_EQ(handler.get(), nullptr);
  EXPECT_FALSE(handler.is_new_available());
  EXPECT_FALSE(handler.is_current_valid());
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_F(BlobHandlerTest, InitIsCurrentAtOnce) {
  BlobHandler handler(module_);
  EXPECT_EQ(handler.init(5, "hello"), BlobStatus::good);
  EXPECT_TRUE(handler.is_current_valid());
  EXPECT_FALSE(handler.is_new_available());
  EXPECT_EQ(get(handler), "hello");
  EXPECT_EQ(handler.init(3, nullptr), BlobStatus::good);
  EXPECT_EQ(get(handler), std::string(3, '\0'));
  EXPECT_EQ(module_.held_bytes(), 3U);
  EXPECT_EQ(set(handler, "next"), BlobStatus::good);
  EXPECT_EQ(handler.init(0, nullptr), BlobStatus::good);
  EXPECT_EQ(get(handler), std::nullopt);
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_F(BlobHandlerTest, FragmentsBecomeCurrentAtTheNextGetThatFreesTheOld) {
  BlobHandler handler(module_);
  ASSERT_EQ(handler.init(3, "old"), BlobStatus::good);
  EXPECT_EQ(first(handler, 10, "abcd"), BlobStatus::good);
  EXPECT_EQ(get(handler), "old");
  EXPECT_EQ(next(handler, 4, "ef", false), BlobStatus::good);
  EXPECT_FALSE(handler.is_new_available());
  EXPECT_EQ(get(handler), "old");
  EXPECT_EQ(next(handler, 6, "ghij", true), BlobStatus::good);
  EXPECT_TRUE(handler.is_new_available());
  EXPECT_TRUE(handler.is_current_valid());
  EXPECT_EQ(module_.held_bytes(), 13U);
  EXPECT_EQ(get(handler), "abcdefghij");
  EXPECT_EQ(module_.held_bytes(), 10U);
  EXPECT_FALSE(handler.is_new_available());
  EXPECT_EQ(get(handler), "abcdefghij");
}

TEST_F(BlobHandlerTest, OneFragmentMayBeAll) {
  BlobHandler handler(module_);
  EXPECT_EQ(set(handler, "all of it"), BlobStatus::good);
  EXPECT_FALSE(handler.is_current_valid());  // not before a get
  EXPECT_TRUE(handler.is_new_available());
  EXPECT_EQ(get(handler), "all of it");
}

TEST_F(BlobHandlerTest, WrongFragmentsChangeNothing) {
  BlobHandler handler(module_);
  ASSERT_EQ(handler.init(3, "old"), BlobStatus::good);
  EXPECT_EQ(next(handler, 0, "ab", false), BlobStatus::out_of_order);
  EXPECT_EQ(next(handler, 0, "ab", true), BlobStatus::out_of_order);
  EXPECT_EQ(first(handler, 1, "ab"), BlobStatus::wrong_size);
  EXPECT_EQ(handler.set_fragment(true, true, 3, "ab", 2), BlobStatus::wrong_size);
  EXPECT_EQ(handler.set_fragment(true, false, 2, "ab", 2), BlobStatus::wrong_size);
  EXPECT_EQ(handler.set_fragment(true, false, 0, "ab", 2), BlobStatus::invalid);
  EXPECT_EQ(handler.set_fragment(true, false, 9, "ab", 0), BlobStatus::invalid);
  EXPECT_EQ(handler.set_fragment(true, false, 9, nullptr, 2), BlobStatus::invalid);
  EXPECT_EQ(module_.held_bytes(), 3U);

  ASSERT_EQ(first(handler, 6, "abc"), BlobStatus::good);
  EXPECT_EQ(first(handler, 1, "ab"), BlobStatus::wrong_size);  // not even the one that arrives
  EXPECT_EQ(next(handler, 2, "cd", false), BlobStatus::out_of_order);
  EXPECT_EQ(next(handler, 4, "ef", true), BlobStatus::out_of_order);
  EXPECT_EQ(next(handler, 3, "defg", true), BlobStatus::wrong_size);
  EXPECT_EQ(next(handler, 3, "de", true), BlobStatus::wrong_size);
  EXPECT_EQ(next(handler, 3, "def", false), BlobStatus::wrong_size);
  EXPECT_EQ(next(handler, 3, "", true), BlobStatus::invalid);
  EXPECT_EQ(get(handler), "old");
  EXPECT_EQ(next(handler, 3, "def", true), BlobStatus::good);
  EXPECT_EQ(next(handler, 6, "g", true), BlobStatus::out_of_order);  // it is complete
  EXPECT_EQ(get(handler), "abcdef");
}

TEST_F(BlobHandlerTest, AnotherFirstFragmentStartsAnew) {
  BlobHandler handler(module_);
  ASSERT_EQ(first(handler, 6, "abc"), BlobStatus::good);
  ASSERT_EQ(first(handler, 4, "ABC"), BlobStatus::good);
  EXPECT_EQ(module_.held_bytes(), 4U);
  ASSERT_EQ(next(handler, 3, "D", true), BlobStatus::good);
  ASSERT_EQ(set(handler, "third"), BlobStatus::good);  // nobody took the second
  EXPECT_EQ(module_.held_bytes(), 5U);
  EXPECT_EQ(get(handler), "third");
}

TEST_F(BlobHandlerTest, ARefusedBlobLeavesTheCurrentOneInForce) {
  BlobHandler handler(module_);
  ASSERT_EQ(set(handler, "good"), BlobStatus::good);
  ASSERT_EQ(get(handler), "good");
  int asked = 0;
  handler.set_validator(
      [](void* context, void* data, std::uint32_t bytes) {
        ++*static_cast<int*>(context);
        return std::string(static_cast<const char*>(data), bytes) == "bad" ? -22 : 0;
      },
      &asked);
  EXPECT_EQ(first(handler, 3, "b"), BlobStatus::good);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(next(handler, 1, "ad", true), BlobStatus::refused);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(handler.verdict(), -22);
  EXPECT_FALSE(handler.is_new_available());
  EXPECT_EQ(module_.held_bytes(), 4U);
  EXPECT_EQ(get(handler), "good");
  EXPECT_EQ(set(handler, "better"), BlobStatus::good);
  EXPECT_EQ(handler.verdict(), 0);
  EXPECT_EQ(get(handler), "better");
  handler.set_validator(nullptr, nullptr);
  EXPECT_EQ(set(handler, "bad"), BlobStatus::good);
}

TEST_F(BlobHandlerTest, OutOfMemoryLeavesTheCurrentOneInForce) {
  ModuleMemory small;
  ASSERT_TRUE(small.open(memory_, memory_.system(), {OwnerKind::module, 2, "small", 100, 0}));
  {
    BlobHandler handler(small);
    ASSERT_EQ(set(handler, std::string(60, 'a')), BlobStatus::good);
    ASSERT_EQ(get(handler), std::string(60, 'a'));
    EXPECT_EQ(set(handler, std::string(41, 'b')), BlobStatus::no_memory);
    EXPECT_EQ(next(handler, 10, "b", false), BlobStatus::out_of_order);
    EXPECT_EQ(handler.init(41, nullptr), BlobStatus::no_memory);
    EXPECT_EQ(get(handler), std::string(60, 'a'));
    EXPECT_EQ(set(handler, std::string(40, 'c')), BlobStatus::good);
    EXPECT_EQ(get(handler), std::string(40, 'c'));
    EXPECT_EQ(small.failures(), 2U);
  }
  EXPECT_EQ(small.close(), 0U);
}

TEST_F(BlobHandlerTest, ASingleBlobIsTheOnlyCopy) {
  ModuleMemory small;
  ASSERT_TRUE(small.open(memory_, memory_.system(), {OwnerKind::module, 2, "small", 100, 0}));
  {
    BlobHandler handler(small, BlobMode::single_blob);
    ASSERT_EQ(handler.init(60, nullptr), BlobStatus::good);
    ASSERT_EQ(handler.init(90, nullptr), BlobStatus::good);
    EXPECT_EQ(next(handler, 0, "x", false), BlobStatus::out_of_order);
    EXPECT_TRUE(handler.is_current_valid());
    ASSERT_EQ(first(handler, 80, std::string(79, 'a')), BlobStatus::good);
    EXPECT_EQ(small.high_water_mark(), 90U);
    EXPECT_FALSE(handler.is_current_valid());
    EXPECT_EQ(get(handler), std::nullopt);
    ASSERT_EQ(next(handler, 79, "a", true), BlobStatus::good);
    EXPECT_TRUE(handler.is_new_available());
    EXPECT_EQ(get(handler), std::string(80, 'a'));
    EXPECT_EQ(set(handler, std::string(101, 'b')), BlobStatus::no_memory);
    EXPECT_EQ(get(handler), std::nullopt);
    EXPECT_EQ(set(handler, std::string(100, 'c')), BlobStatus::good);
    EXPECT_EQ(get(handler), std::string(100, 'c'));
    EXPECT_EQ(handler.init(101, nullptr), BlobStatus::no_memory);
    EXPECT_EQ(get(handler), std::nullopt);
  }
  EXPECT_EQ(small.high_water_mark(), 100U);
  EXPECT_EQ(small.close(), 0U);
}

TEST_F(BlobHandlerTest, UsesTheFunctionsGiven) {
  {
    BlobHandler handler(OwnFunctions::kBoth);
    ASSERT_EQ(handler.init(3, "old"), BlobStatus::good);
    ASSERT_EQ(set(handler, "new"), BlobStatus::good);
    EXPECT_EQ(OwnFunctions::live, 2);
    EXPECT_EQ(get(handler), "new");
    EXPECT_EQ(OwnFunctions::live, 1);
    OwnFunctions::empty = true;
    EXPECT_EQ(set(handler, "none"), BlobStatus::no_memory);
    EXPECT_EQ(handler.init(4, "none"), BlobStatus::no_memory);
    EXPECT_EQ(get(handler), "new");
  }
  EXPECT_EQ(OwnFunctions::live, 0);
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_F(BlobHandlerTest, BelongsToTheModuleThatMadeIt) {
  const auto before = system_.pool_state();
  ModuleMemory other;
  ASSERT_TRUE(other.open(memory_, memory_.system(), {OwnerKind::module, 2, "other"}));
  BlobHandler* handler = BlobHandler::create(module_);
  ASSERT_NE(handler, nullptr);
  ASSERT_EQ(set(*handler, "blob"), BlobStatus::good);
  EXPECT_EQ(BlobHandler::destroy(other, handler), PointerStatus::foreign);
  EXPECT_EQ(get(*handler), "blob");
  EXPECT_EQ(BlobHandler::destroy(module_, handler), PointerStatus::live);
  EXPECT_EQ(BlobHandler::destroy(module_, handler), PointerStatus::foreign);
  EXPECT_EQ(BlobHandler::destroy(module_, nullptr), PointerStatus::live);
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_EQ(other.close(), 0U);
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_F(BlobHandlerTest, EndsWithItsModule) {
  BlobHandler* own = BlobHandler::create(module_);
  BlobHandler* foreign = BlobHandler::create(module_, BlobMode::two_blobs, OwnFunctions::kBoth);
  ASSERT_EQ(set(*own, "one"), BlobStatus::good);
  ASSERT_EQ(get(*own), "one");
  ASSERT_EQ(set(*own, "two"), BlobStatus::good);
  ASSERT_EQ(set(*foreign, "three"), BlobStatus::good);
  EXPECT_EQ(OwnFunctions::live, 1);
  EXPECT_EQ(module_.release_all(), 2U);  // the handlers; their blobs went with them
  EXPECT_EQ(OwnFunctions::live, 0);
  EXPECT_EQ(module_.held_bytes(), 0U);

  const std::uint32_t line = __LINE__ + 1;
  BlobHandler* leaked = BlobHandler::create(module_, BlobMode::single_blob, OwnFunctions::kBoth);
  ASSERT_EQ(set(*leaked, "four"), BlobStatus::good);
  EXPECT_EQ(module_.close(), 1U);
  ASSERT_EQ(seen_.leaks.size(), 1U);
  EXPECT_EQ(seen_.leaks[0].site.line, line);
  EXPECT_EQ(OwnFunctions::live, 0);
}

TEST_F(BlobHandlerTest, IsNotMadeWhereMemoryRanOut) {
  std::vector<void*> all;
  for (std::size_t bytes = std::size_t{1} << 22; bytes >= 16; bytes /= 2) {
    while (void* block =
               memory_.allocate({nullptr, bytes, 0, flag::kCoherent | flag::kSilent, Site()})) {
      all.push_back(block);
    }
  }
  EXPECT_EQ(BlobHandler::create(module_), nullptr);
  EXPECT_EQ(module_.failures(), 1U);
  EXPECT_EQ(module_.release_all(), 0U);
  for (void* block : all) {
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
  ModuleMemory closed;
  EXPECT_EQ(BlobHandler::create(closed), nullptr);
}

// What a module asked for is what its account says: what is kept about it is not.
TEST_F(BlobHandlerTest, ChargesBlobsAloneToTheModule) {
  BlobHandler* handler = BlobHandler::create(module_);
  EXPECT_EQ(module_.held_bytes(), 0U);
  ASSERT_EQ(set(*handler, "blob"), BlobStatus::good);
  EXPECT_EQ(module_.held_bytes(), 4U);
  EXPECT_EQ(module_.close(), 1U);
  ASSERT_EQ(seen_.leaks.size(), 1U);
  EXPECT_EQ(seen_.leaks[0].bytes, 4U);
}

// 392 bytes lost in each cycle of a module were found in the field.
TEST_F(BlobHandlerTest, AThousandCyclesLeaveAFlatLine) {
  const auto before = system_.pool_state();
  for (int cycle = 0; cycle < 1000; ++cycle) {
    BlobHandler* handler = BlobHandler::create(module_);
    ASSERT_NE(handler, nullptr);
    ASSERT_EQ(set(*handler, std::string(5000, 'a')), BlobStatus::good);
    handler->get();
    ASSERT_EQ(first(*handler, 6000, "incomplete"), BlobStatus::good);
    if (cycle % 2 == 0) {
      ASSERT_EQ(BlobHandler::destroy(module_, handler), PointerStatus::live);
    } else {
      ASSERT_EQ(module_.release_all(), 1U);
    }
    ASSERT_EQ(module_.held_bytes(), 0U);
  }
  EXPECT_EQ(system_.pool_state(), before);
}

// Random calls beside a model, in a module whose limit some of them meet.
class BlobHandlerRandom : public BlobHandlerTest, public ::testing::WithParamInterface<BlobMode> {};

INSTANTIATE_TEST_SUITE_P(Modes, BlobHandlerRandom,
                         ::testing::Values(BlobMode::two_blobs, BlobMode::single_blob));

TEST_P(BlobHandlerRandom, AgreesWithAModel) {
  constexpr std::size_t kLimit = 3000;
  const bool single = GetParam() == BlobMode::single_blob;
  ModuleMemory module;
  ASSERT_TRUE(module.open(memory_, memory_.system(), {OwnerKind::module, 3, "m", kLimit, 0}));
  BlobHandler handler(module, GetParam());
  handler.set_validator(
      [](void*, void* data, std::uint32_t) {
        return *static_cast<const char*>(data) == 'x' ? -1 : 0;
      },
      nullptr);
  std::optional<std::string> current;
  std::optional<std::string> next_blob;  // as far as it has arrived
  std::size_t total = 0;
  bool complete = false;
  std::mt19937 random(5);
  const auto below = [&](std::size_t limit) { return random() % limit; };
  const auto text = [&](std::size_t bytes) {
    std::string result(bytes, ' ');
    for (char& one : result) {
      one = static_cast<char>('a' + below(26));
    }
    return result;
  };
  int refused = 0;
  int short_of_memory = 0;
  int installed = 0;
  for (int step = 0; step < 20000; ++step) {
    const std::size_t action = below(10);
    if (action == 0) {
      const std::string blob = text(below(2000));
      if (single || blob.empty()) {
        current.reset();
        next_blob.reset();
        complete = false;
      }
      const std::size_t held = current.value_or("").size() + (next_blob ? total : std::size_t{0});
      const bool fits = held + blob.size() <= kLimit;
      ASSERT_EQ(handler.init(blob.size(), blob.data()),
                fits ? BlobStatus::good : BlobStatus::no_memory);
      if (fits && !blob.empty()) {
        current = blob;
        next_blob.reset();
        complete = false;
      }
    } else if (action < 4) {
      const std::size_t size = 1 + below(2500);
      const std::string part = text(1 + below(size + 5));
      const bool last = part.size() == size;
      BlobStatus expected = BlobStatus::good;
      if (part.size() > size) {
        expected = BlobStatus::wrong_size;
      } else {
        next_blob.reset();
        complete = false;
        if (single) {
          current.reset();
        }
        if (current.value_or("").size() + size > kLimit) {
          expected = BlobStatus::no_memory;
          ++short_of_memory;
        } else if (last && part[0] == 'x') {
          expected = BlobStatus::refused;
        } else {
          next_blob = part;
          total = size;
          complete = last;
        }
      }
      ASSERT_EQ(first(handler, size, part), expected);
    } else if (action < 8) {
      const bool receiving = next_blob && !complete;
      const std::size_t left = receiving ? total - next_blob->size() : 10;
      const std::string part = text(below(3) == 0 ? left : 1 + below(left + 2));
      const bool last = below(10) == 0 ? below(2) == 0 : part.size() == left;
      const std::size_t offset = (receiving ? next_blob->size() : 0) + (below(10) == 0 ? 1 : 0);
      BlobStatus expected = BlobStatus::good;
      if (!receiving || offset != next_blob->size()) {
        expected = BlobStatus::out_of_order;
      } else if (part.size() > left || last != (part.size() == left)) {
        expected = BlobStatus::wrong_size;
      } else {
        *next_blob += part;
        complete = last;
        if (last && next_blob->front() == 'x') {
          expected = BlobStatus::refused;
          ++refused;
          next_blob.reset();
          complete = false;
        }
      }
      ASSERT_EQ(next(handler, offset, part, last), expected);
    } else {
      if (complete) {
        current = next_blob;
        next_blob.reset();
        complete = false;
        ++installed;
      }
      ASSERT_EQ(get(handler), current);
    }
    ASSERT_EQ(handler.is_new_available(), complete);
    ASSERT_EQ(handler.is_current_valid(), current.has_value());
    ASSERT_EQ(module.held_bytes(), current.value_or("").size() + (next_blob ? total : 0));
    ASSERT_TRUE(handler.check());
  }
  EXPECT_GT(refused, 10);
  EXPECT_GT(installed, 200);
  EXPECT_EQ(short_of_memory > 0, !single);
  handler.clear();
  EXPECT_EQ(module.close(), 0U);
}

}  // namespace
}  // namespace modmem
