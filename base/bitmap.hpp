// Bitmap algorithms over arrays of words that somebody else owns.
//
// A BitmapView names `size` bits; it is a pointer and a length, copied freely. Bit i is bit
// i % kWordBits of word i / kWordBits. Words are as wide as the machine's: wider ones would take
// twice the code and most of twice the time. Bits past `size` in the last word are never read as
// set or clear. Cost: single bits O(1); ranges and searches O(words touched), never more than
// size / kWordBits + 1.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"

namespace modmem {

template <typename WordType>
class BasicBitmapView {
 public:
  using Word = WordType;
  static constexpr std::uint32_t kWordBits = 8 * sizeof(Word);
  static constexpr std::size_t words_for(std::size_t bits) {
    return (bits + kWordBits - 1) / kWordBits;
  }

  constexpr BasicBitmapView() = default;
  constexpr BasicBitmapView(Word* words, std::uint32_t size) : words_(words), size_(size) {}

  constexpr std::uint32_t size() const { return size_; }

  constexpr bool test(std::uint32_t bit) const {
    MODMEM_ASSERT(bit < size_);
    return ((words_[bit / kWordBits] >> (bit % kWordBits)) & 1U) != 0;
  }
  constexpr void set(std::uint32_t bit) { words_[bit / kWordBits] |= Word{1} << (bit % kWordBits); }
  constexpr void clear(std::uint32_t bit) {
    words_[bit / kWordBits] &= ~(Word{1} << (bit % kWordBits));
  }

  // Sets or clears the bits [first, last).
  constexpr void set_range(std::uint32_t first, std::uint32_t last) { fill(first, last, ~Word{0}); }
  constexpr void clear_range(std::uint32_t first, std::uint32_t last) { fill(first, last, 0); }

  // Number of set bits in [first, last).
  constexpr std::uint32_t count(std::uint32_t first, std::uint32_t last) const {
    // Runs of equal bits are common, and counting single ones is a library call on some targets.
    std::uint32_t sum = 0;
    while (first < last) {
      const std::uint32_t low = first % kWordBits;
      const std::uint32_t left = kWordBits - low;
      const std::uint32_t bits = last - first < left ? last - first : left;
      const Word mask = ~Word{0} >> (kWordBits - bits);
      const Word word = words_[first / kWordBits] >> low & mask;
      sum += word == mask ? bits : word == 0 ? 0 : static_cast<std::uint32_t>(std::popcount(word));
      first += bits;
    }
    return sum;
  }

  // First set (clear) bit in [from, last), or `last` where there is none.
  constexpr std::uint32_t next_set(std::uint32_t from, std::uint32_t last) const {
    return next(from, last, Word{0});
  }
  constexpr std::uint32_t next_clear(std::uint32_t from, std::uint32_t last) const {
    return next(from, last, ~Word{0});
  }

  // Start of the first run of `count` (> 0) clear bits in [first, last), or `last` where there is
  // none. O(words * log(count)), however many shorter runs there are.
  constexpr std::uint32_t next_clear_run(std::uint32_t first, std::uint32_t last,
                                         std::uint32_t count) const {
    std::uint32_t run = 0;  // clear bits right before the word at hand
    for (std::uint32_t base = first / kWordBits * kWordBits; base < last; base += kWordBits) {
      if (run == 0 && count > 1) {
        base = skip_single(base, last);
      }
      Word clear = ~words_[base / kWordBits];
      if (base < first) {
        clear &= ~Word{0} << (first - base);
      }
      if (last - base < kWordBits) {
        clear &= ~(~Word{0} << (last - base));
      }
      if (run != 0 || count >= kWordBits) {
        const auto low = static_cast<std::uint32_t>(std::countr_one(clear));
        if (run + low >= count) {
          return base - run;
        }
        if (low == kWordBits) {
          run += kWordBits;
          continue;
        }
      }
      if (count < kWordBits) {
        if (const Word begins = begins_of_runs(clear, count); begins != 0) {
          return base + static_cast<std::uint32_t>(std::countr_zero(begins));
        }
      }
      run = clear >> (kWordBits - 1) != 0 ? static_cast<std::uint32_t>(std::countl_one(clear)) : 0;
    }
    return last;
  }

  // One past the last set (clear) bit in [first, last), or `first` where there is none.
  constexpr std::uint32_t end_of_last_set(std::uint32_t first, std::uint32_t last) const {
    return end_of_last(first, last, Word{0});
  }
  constexpr std::uint32_t end_of_last_clear(std::uint32_t first, std::uint32_t last) const {
    return end_of_last(first, last, ~Word{0});
  }

 private:
  // As next(), backwards.
  constexpr std::uint32_t end_of_last(std::uint32_t first, std::uint32_t last, Word flip) const {
    while (last > first) {
      const std::uint32_t index = (last - 1) / kWordBits;
      const std::uint32_t top = (last - 1) % kWordBits;
      const Word word = (words_[index] ^ flip) & (~Word{0} >> (kWordBits - 1 - top));
      const std::uint32_t base = index * kWordBits;
      if (word != 0) {
        const std::uint32_t end =
            base + kWordBits - static_cast<std::uint32_t>(std::countl_zero(word));
        return end > first ? end : first;
      }
      last = base > first ? base : first;
    }
    return first;
  }

  // The bits of `word` at which `count` (fewer than kWordBits) set ones begin.
  static constexpr Word begins_of_runs(Word word, std::uint32_t count) {
    for (std::uint32_t length = 1; length < count && word != 0;) {
      const std::uint32_t step = count - length < length ? count - length : length;
      word &= word >> step;
      length += step;
    }
    return word;
  }

  // The first word at or after that of bit `base` in which two neighbouring bits are clear, or
  // whose last one and the next word's first are, as the number of its first bit; at the latest the
  // last but one that is all below `last`.
  constexpr std::uint32_t skip_single(std::uint32_t base, std::uint32_t last) const {
    const Word* at = words_ + base / kWordBits;
    const Word* const end = words_ + last / kWordBits;
    for (Word clear = ~*at; at + 1 < end; ++at) {
      const Word next = ~at[1];
      if ((clear & (clear >> 1 | next << (kWordBits - 1))) != 0) {
        break;
      }
      clear = next;
    }
    return static_cast<std::uint32_t>(at - words_) * kWordBits;
  }

  // `flip` is xor-ed into each word before its first set bit is sought.
  constexpr std::uint32_t next(std::uint32_t from, std::uint32_t last, Word flip) const {
    if (from >= last) {
      return last;
    }
    // Words without such a bit are passed over by a loop that does nothing else.
    const Word* at = words_ + from / kWordBits;
    const Word* const final = words_ + (last - 1) / kWordBits;
    Word word = (*at ^ flip) >> (from % kWordBits) << (from % kWordBits);
    while (word == 0) {
      if (at == final) {
        return last;
      }
      word = *++at ^ flip;
    }
    const std::uint32_t found = static_cast<std::uint32_t>(at - words_) * kWordBits +
                                static_cast<std::uint32_t>(std::countr_zero(word));
    return found < last ? found : last;
  }

  // Gives the bits [first, last) those of `value`, which are all the same.
  constexpr void fill(std::uint32_t first, std::uint32_t last, Word value) const {
    if (first >= last) {
      return;
    }
    std::uint32_t index = first / kWordBits;
    const std::uint32_t end = (last - 1) / kWordBits;
    Word mask = ~Word{0} << (first % kWordBits);
    for (; index < end; ++index) {
      words_[index] = (words_[index] & ~mask) | (value & mask);
      mask = ~Word{0};
    }
    mask &= ~Word{0} >> (kWordBits - 1 - (last - 1) % kWordBits);
    words_[end] = (words_[end] & ~mask) | (value & mask);
  }

  Word* words_ = nullptr;
  std::uint32_t size_ = 0;
};

using BitmapView = BasicBitmapView<std::size_t>;

}  // namespace modmem
