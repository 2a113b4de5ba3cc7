// The four functions that compilers call on their own, for images that link no C library. Compiled
// so that a loop is not taken for a call of the function that it is in. Where all is aligned they
// work by words, a C library's way, so that counts of instructions are not about these.
#include <cstddef>
#include <cstdint>

namespace {

using Word [[gnu::may_alias]] = std::uintptr_t;

bool are_words(const void* a, const void* b) {
  return (reinterpret_cast<std::uintptr_t>(a) | reinterpret_cast<std::uintptr_t>(b)) %
             sizeof(Word) ==
         0;
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  if (are_words(out, in)) {
    for (; bytes >= sizeof(Word); bytes -= sizeof(Word)) {
      *reinterpret_cast<Word*>(out) = *reinterpret_cast<const Word*>(in);
      out += sizeof(Word);
      in += sizeof(Word);
    }
  }
  while (bytes-- > 0) {
    *out++ = *in++;
  }
  return to;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  if (out <= in) {
    return memcpy(to, from, bytes);
  }
  while (bytes-- > 0) {
    out[bytes] = in[bytes];
  }
  return to;
}

void* memset(void* to, int value, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  if (are_words(out, out)) {
    constexpr Word kEveryByte = ~Word{0} / 0xff;  // 0x0101...
    const Word word = kEveryByte * static_cast<unsigned char>(value);
    for (; bytes >= sizeof(Word); bytes -= sizeof(Word)) {
      *reinterpret_cast<Word*>(out) = word;
      out += sizeof(Word);
    }
  }
  while (bytes-- > 0) {
    *out++ = static_cast<unsigned char>(value);
  }
  return to;
}

int memcmp(const void* a, const void* b, std::size_t bytes) {
  const auto* left = static_cast<const unsigned char*>(a);
  const auto* right = static_cast<const unsigned char*>(b);
  for (; bytes > 0 && *left == *right; --bytes) {
    ++left;
    ++right;
  }
  return bytes == 0 ? 0 : *left - *right;
}
}
