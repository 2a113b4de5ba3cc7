#include "base/bitmap.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace modmem {
namespace {

// CMakeLists.txt says which words: this file is built for each width.
using View = BasicBitmapView<MODMEM_TEST_WORD>;

constexpr std::uint32_t kGuardWords = 1;

// A bitmap beside the plain vector that it has to agree with. Around the bitmap's words lie others,
// and behind its last bit those that it must not touch, all of them set to `outside`.
struct Pair {
  Pair(const std::vector<bool>& bits, bool outside)
      : model(bits),
        words(View::words_for(bits.size()) + 2 * std::size_t{kGuardWords},
              outside ? ~View::Word{0} : 0),
        view(words.data() + kGuardWords, static_cast<std::uint32_t>(bits.size())) {
    for (std::uint32_t bit = 0; bit < view.size(); ++bit) {
      if (bits[bit]) {
        view.set(bit);
      } else {
        view.clear(bit);
      }
    }
    rest = words_but_for_the_bits();
  }

  std::vector<View::Word> words_but_for_the_bits() const {
    std::vector<View::Word> copy = words;
    View bits(copy.data() + kGuardWords, view.size());
    for (std::uint32_t bit = 0; bit < bits.size(); ++bit) {
      bits.clear(bit);
    }
    return copy;
  }

  bool agree() const {
    for (std::uint32_t bit = 0; bit < view.size(); ++bit) {
      if (view.test(bit) != model[bit]) {
        return false;
      }
    }
    return rest == words_but_for_the_bits();
  }

  std::vector<bool> model;
  std::vector<View::Word> words;
  View view;
  std::vector<View::Word> rest;
};

Pair any_pair() {
  // Sizes up to a few words, with runs as long as words, which single random bits would not give.
  const auto runs = *rc::gen::container<std::vector<std::pair<bool, std::uint32_t>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange<std::uint32_t>(1, 90)));
  std::vector<bool> bits;
  for (const auto& [value, length] : runs) {
    bits.insert(bits.end(), length, value);
  }
  if (bits.empty()) {
    bits.push_back(false);
  }
  return {bits, *rc::gen::arbitrary<bool>()};
}

// first <= last <= size, the borders more often than others.
std::pair<std::uint32_t, std::uint32_t> any_range(std::uint32_t size) {
  const auto any_edge = rc::gen::oneOf(
      rc::gen::inRange<std::uint32_t>(0, size + 1),
      rc::gen::element<std::uint32_t>(0, size, size / View::kWordBits * View::kWordBits));
  const std::uint32_t a = *any_edge;
  const std::uint32_t b = *any_edge;
  return {std::min(a, b), std::max(a, b)};
}

RC_GTEST_PROP(Bitmap, SetsAndClearsSingleBits, ()) {
  Pair pair = any_pair();
  const auto bit = *rc::gen::inRange<std::uint32_t>(0, pair.view.size());
  const bool value = *rc::gen::arbitrary<bool>();
  value ? pair.view.set(bit) : pair.view.clear(bit);
  pair.model[bit] = value;
  RC_ASSERT(pair.agree());
}

RC_GTEST_PROP(Bitmap, SetsAndClearsRanges, ()) {
  Pair pair = any_pair();
  const auto [first, last] = any_range(pair.view.size());
  const bool value = *rc::gen::arbitrary<bool>();
  value ? pair.view.set_range(first, last) : pair.view.clear_range(first, last);
  std::fill(pair.model.begin() + first, pair.model.begin() + last, value);
  RC_ASSERT(pair.agree());
}

RC_GTEST_PROP(Bitmap, CountsRanges, ()) {
  const Pair pair = any_pair();
  const auto [first, last] = any_range(pair.view.size());
  const auto count = std::count(pair.model.begin() + first, pair.model.begin() + last, true);
  RC_ASSERT(pair.view.count(first, last) == static_cast<std::uint32_t>(count));
}

RC_GTEST_PROP(Bitmap, FindsTheNextSetAndClearBit, ()) {
  const Pair pair = any_pair();
  const auto [first, last] = any_range(pair.view.size());
  const auto begin = pair.model.begin();
  const auto set = std::find(begin + first, begin + last, true) - begin;
  const auto clear = std::find(begin + first, begin + last, false) - begin;
  RC_ASSERT(pair.view.next_set(first, last) == static_cast<std::uint32_t>(set));
  RC_ASSERT(pair.view.next_clear(first, last) == static_cast<std::uint32_t>(clear));
}

RC_GTEST_PROP(Bitmap, FindsTheFirstLongRunOfClearBits, ()) {
  const Pair pair = any_pair();
  const std::uint32_t size = pair.view.size();
  const auto first = *rc::gen::inRange<std::uint32_t>(0, size + 1);
  const auto last = *rc::gen::inRange<std::uint32_t>(first, size + 1);
  const auto count = *rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(1, 12),
                                     rc::gen::inRange<std::uint32_t>(1, 200));
  std::uint32_t expected = last;
  for (std::uint32_t start = first; start + count <= last && expected == last; ++start) {
    const auto begin = pair.model.begin() + start;
    if (std::find(begin, begin + count, true) == begin + count) {
      expected = start;
    }
  }
  RC_ASSERT(pair.view.next_clear_run(first, last, count) == expected);
}

// Words with single clear bits alone are passed over: not those in which, or at whose border to the
// next one, there are two.
TEST(Bitmap, FindsAPairOfClearBitsAmongSingleOnes) {
  constexpr std::uint32_t kBits = 6 * View::kWordBits;
  for (std::uint32_t pair = 0; pair + 2 <= kBits; ++pair) {
    std::vector<bool> bits(kBits + 20, true);
    for (std::uint32_t single = 0; single < kBits; single += 21) {
      bits[single] = single + 1 == pair || single == pair + 2;  // those would make it longer
    }
    bits[pair] = bits[pair + 1] = false;
    const Pair both(bits, false);
    EXPECT_EQ(both.view.next_clear_run(0, both.view.size(), 2), pair);
    EXPECT_EQ(both.view.next_clear_run(pair + 1, kBits, 2), kBits) << pair;
    EXPECT_EQ(both.view.next_clear_run(0, pair + 1, 2), pair + 1);
  }
}

RC_GTEST_PROP(Bitmap, FindsTheEndOfTheLastBitOfEitherKind, ()) {
  const Pair pair = any_pair();
  const auto [first, last] = any_range(pair.view.size());
  std::uint32_t end = last;
  while (end > first && !pair.model[end - 1]) {
    --end;
  }
  RC_ASSERT(pair.view.end_of_last_set(first, last) == end);
  end = last;
  while (end > first && pair.model[end - 1]) {
    --end;
  }
  RC_ASSERT(pair.view.end_of_last_clear(first, last) == end);
}

TEST(Bitmap, SearchesFromBehindTheEndFindNothing) {
  // Callers step past the end of what they search: [from, last) is empty then.
  View::Word words[2] = {~View::Word{0}, ~View::Word{0}};
  const View view(words, 100);
  EXPECT_EQ(view.next_set(101, 100), 100U);
  EXPECT_EQ(view.next_clear(101, 100), 100U);
}

TEST(Bitmap, NeedsAWordForEachOfItsBits) {
  EXPECT_EQ(View::words_for(0), 0U);
  EXPECT_EQ(View::words_for(1), 1U);
  EXPECT_EQ(View::words_for(View::kWordBits), 1U);
  EXPECT_EQ(View::words_for(View::kWordBits + 1), 2U);
}

TEST(Bitmap, OfNoBitsIsEmpty) {
  const View view;
  EXPECT_EQ(view.size(), 0U);
  EXPECT_EQ(view.next_set(0, 0), 0U);
  EXPECT_EQ(view.next_clear(0, 0), 0U);
  EXPECT_EQ(view.count(0, 0), 0U);
}

}  // namespace
}  // namespace modmem
