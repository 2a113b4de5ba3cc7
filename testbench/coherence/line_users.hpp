// LineUsers: whose blocks lie in which cache lines, now and last.
//
// Invariants: live(line) = blocks handed out that have a byte in the line; last(line) is that of
// the block that was handed out there last, and stays when the block ends. Users with the same
// owner, call site and core are one, so there are as many as a program has places that allocate.
//
// Cost: O(log blocks + lines of the block) per block; 3 bytes a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "memory/memory.hpp"

namespace modmem::testbench {

class LineUsers {
 public:
  using User = std::uint16_t;
  static constexpr User kNobody = 0;

  struct UserNote {
    std::string owner;
    std::uint32_t owner_id = 0;
    std::string site;
    std::uint32_t core = 0;  // that took it
    bool coherent = false;
  };

  LineUsers(std::size_t bytes, std::size_t line_bytes);

  // The request that the next block is for, made on that core.
  void note(const Request& request, std::uint32_t core);

  // [at, at + bytes), offsets, is a block from now on; has another size; is none any more.
  void hand_out(std::size_t at, std::size_t bytes);
  void resize(std::size_t at, std::size_t bytes);
  void take_back(std::size_t at);

  std::uint32_t live(std::size_t line) const { return live_[line]; }
  User last(std::size_t line) const { return last_[line]; }
  // Whether a live block there is reached past the caches.
  bool is_coherent(std::size_t line) const {
    return live_[line] != 0 && users_[last_[line]].coherent;
  }
  // A live block with a byte in the line that is of another owner than the first of them; kNobody
  // where there is none.
  User second_owner(std::size_t line) const;
  User first_owner(std::size_t line) const;

  const UserNote& user(User user) const { return users_[user]; }

 private:
  struct Block {
    std::size_t bytes = 0;
    User user = kNobody;
  };
  using Blocks = std::map<std::size_t, Block>;  // by offset

  Blocks::const_iterator first_in(std::size_t line) const;
  void count(std::size_t first, std::size_t end, int change);

  std::size_t line_bytes_;
  std::vector<std::uint8_t> live_;  // by line
  std::vector<User> last_;          // by line
  Blocks blocks_;
  std::vector<UserNote> users_;
  std::map<std::tuple<std::string, std::uint32_t, std::string, std::uint32_t, bool>, User> known_;
  User next_ = kNobody;
};

}  // namespace modmem::testbench
