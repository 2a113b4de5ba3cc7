#include "firmware/alias.hpp"

namespace modmem::firmware {

namespace {

constexpr std::size_t kBytes = 3 * config::kPageBytes;

// Word `i` of what is written.
constexpr std::uint32_t word(std::size_t i, std::uint32_t seed) {
  return static_cast<std::uint32_t>(i) * 2654435761U + seed;
}

// A coherent block is the uncached one; its other address is what the library's own cache
// operations work on.
void check_block(Report& report, Port& port, std::byte* block) {
  std::byte* const other = block - port.alias_offset();
  auto* const uncached = reinterpret_cast<volatile std::uint32_t*>(block);
  auto* const cached = reinterpret_cast<volatile std::uint32_t*>(other);
  constexpr std::size_t kWords = kBytes / sizeof(std::uint32_t);
  for (std::size_t i = 0; i < kWords; ++i) {
    uncached[i] = word(i, 1);
  }
  port.cache_invalidate(other, kBytes);
  bool same = true;
  for (std::size_t i = 0; i < kWords; ++i) {
    same = same && cached[i] == word(i, 1);
    cached[i] = word(i, 2);
  }
  port.cache_writeback(other, kBytes);
  for (std::size_t i = 0; i < kWords; ++i) {
    same = same && uncached[i] == word(i, 2);
  }
  MODMEM_CHECK(report, same);
}

}  // namespace

void test_alias(Report& report, Memory& memory) {
  Port& port = memory.space().port();
  if (port.alias_offset() == 0) {
    return;
  }
  report.begin("memory", "both aliases show the same");
  // Every other frame is taken, so that those of the block lie apart.
  constexpr std::size_t kPages = 16;
  void* pages[kPages] = {};
  for (void*& page : pages) {
    page = memory.allocate({.owner = nullptr,
                            .bytes = config::kPageBytes,
                            .alignment = config::kPageBytes,
                            .flags = flag::kUser,
                            .site = Site::here()});
    MODMEM_CHECK(report, page != nullptr);
  }
  for (std::size_t i = 0; i < kPages; i += 2) {
    memory.free(pages[i]);
  }
  void* block = memory.allocate(
      {.owner = nullptr, .bytes = kBytes, .flags = flag::kCoherent, .site = Site::here()});
  if (MODMEM_CHECK(report, block != nullptr)) {
    MODMEM_CHECK(report, memory.space().is_uncached(block));
    const AddressSpace& space = memory.space();
    const std::uint32_t first = *space.page_of(block);
    MODMEM_CHECK(report, space.frame_of(first) + 1 != space.frame_of(first + 1));
    check_block(report, port, static_cast<std::byte*>(block));
    MODMEM_CHECK(report, memory.free(block) == PointerStatus::live);
  }
  for (std::size_t i = 1; i < kPages; i += 2) {
    MODMEM_CHECK(report, memory.free(pages[i]) == PointerStatus::live);
  }
  MODMEM_CHECK(report, memory.check(CheckDepth::deep));
  report.end();
}

}  // namespace modmem::firmware
