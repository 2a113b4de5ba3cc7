#include "port/posix/libc_blocks.hpp"

#include <search.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/check.hpp"

namespace modmem {

// Stand-ins do not overlap, so two that have a byte in common are the same one, or one of them is
// the key of a search.
int LibcBlocks::compare_users(const void* left, const void* right) {
  const auto& a = *static_cast<const StandIn*>(left);
  const auto& b = *static_cast<const StandIn*>(right);
  const auto a_start = ~a.hidden_user;
  const auto b_start = ~b.hidden_user;
  if (a_start < b_start) {
    return b_start - a_start < a.bytes ? 0 : -1;
  }
  return a_start - b_start < b.bytes ? 0 : 1;
}

int LibcBlocks::compare_blocks(const void* left, const void* right) {
  const std::byte* a = static_cast<const StandIn*>(left)->block;
  const std::byte* b = static_cast<const StandIn*>(right)->block;
  return a < b ? -1 : static_cast<int>(a != b);
}

LibcBlocks::StandIn* LibcBlocks::create(std::byte* block, std::size_t bytes,
                                        std::size_t alignment) {
  void* user = nullptr;
  if (posix_memalign(&user, std::max(alignment, sizeof(void*)), bytes) != 0) {
    return nullptr;
  }
  auto* one = static_cast<StandIn*>(std::malloc(sizeof(StandIn)));
  if (one == nullptr) {
    std::free(user);
    return nullptr;
  }
  *one = {block, hidden(user), bytes, nullptr, nullptr};
  return one;
}

void LibcBlocks::destroy(StandIn* one) {
  std::free(one->user());
  std::free(one);
}

bool LibcBlocks::insert(StandIn* one) {
  if (tsearch(one, &by_user_, compare_users) == nullptr) {
    return false;
  }
  if (tsearch(one, &by_block_, compare_blocks) == nullptr) {
    tdelete(one, &by_user_, compare_users);
    return false;
  }
  one->next = first_;
  if (first_ != nullptr) {
    first_->previous = one;
  }
  first_ = one;
  ++count_;
  return true;
}

void LibcBlocks::remove(StandIn* one) {
  tdelete(one, &by_user_, compare_users);
  tdelete(one, &by_block_, compare_blocks);
  (one->previous != nullptr ? one->previous->next : first_) = one->next;
  if (one->next != nullptr) {
    one->next->previous = one->previous;
  }
  --count_;
  destroy(one);
}

LibcBlocks::StandIn* LibcBlocks::find_block(const std::byte* block) const {
  const StandIn key{const_cast<std::byte*>(block), 0, 0, nullptr, nullptr};
  auto* node = static_cast<StandIn**>(tfind(&key, &by_block_, compare_blocks));
  return node != nullptr ? *node : nullptr;
}

void LibcBlocks::drop(const std::byte* window, std::size_t bytes) {
  for (StandIn* one = first_; one != nullptr;) {
    StandIn* next = one->next;
    if (static_cast<std::size_t>(one->block - window) < bytes) {
      remove(one);
    }
    one = next;
  }
}

void LibcBlocks::drop_all() {
  while (first_ != nullptr) {
    remove(first_);
  }
}

void LibcBlocks::start(std::byte* /*window*/, std::size_t /*bytes*/) {}

void LibcBlocks::stop(std::byte* window, std::size_t bytes) { drop(window, bytes); }

void LibcBlocks::expose(std::byte* /*address*/, std::size_t /*bytes*/) {}

void LibcBlocks::cover(std::byte* /*address*/, std::size_t /*bytes*/) {}

std::byte* LibcBlocks::hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) {
  StandIn* kept = find_block(block);
  if (kept != nullptr) {
    if (kept->bytes == bytes && ~kept->hidden_user % alignment == 0) {
      return kept->user();
    }
    remove(kept);
  }
  StandIn* one = create(block, bytes, alignment);
  if (one == nullptr) {
    return nullptr;
  }
  if (!insert(one)) {
    destroy(one);
    return nullptr;
  }
  return one->user();
}

bool LibcBlocks::resize(std::byte* /*block*/, std::size_t old_bytes, std::size_t bytes) {
  return bytes == old_bytes;
}

void LibcBlocks::take_back(std::byte* block, std::size_t bytes) {
  StandIn* one = find_block(block);
  MODMEM_ASSERT(one != nullptr && one->bytes == bytes);
  static_cast<void>(bytes);
  remove(one);
}

std::byte* LibcBlocks::user_of(std::byte* block) const {
  const StandIn* one = find_block(block);
  MODMEM_ASSERT(one != nullptr);
  return one->user();
}

const void* LibcBlocks::block_of(const void* user) const {
  const StandIn key{nullptr, hidden(user), 1, nullptr, nullptr};
  auto* node = static_cast<StandIn**>(tfind(&key, &by_user_, compare_users));
  return node != nullptr ? (*node)->block + (key.user() - (*node)->user()) : user;
}

}  // namespace modmem
