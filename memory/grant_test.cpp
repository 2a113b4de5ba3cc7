// Grants: what one domain lets another one read or write.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/line.hpp"
#include "memory/stray_access.hpp"
#include "memory/testing/access_probe.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {

// How GoogleTest shows it.
inline void PrintTo(Access access, std::ostream* out) {
  *out << (access == Access::closed      ? "closed"
           : access == Access::read_only ? "read only"
                                         : "open");
}

namespace {

using testing::AccessProbe;
using testing::died_of_access;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class Grants : public ::testing::TestWithParam<const char*> {
 protected:
  Owner& domain(const char* name) {
    Owner* owner =
        memory_.create_owner(memory_.system(), {OwnerKind::heap, 0x21, name}, {.isolated = true});
    if (owner == nullptr) {
      throw std::runtime_error("no domain");
    }
    return *owner;
  }
  std::byte* allocate(Owner& owner, std::size_t bytes) {
    auto* block = static_cast<std::byte*>(memory_.allocate({&owner, bytes, 0, 0, MODMEM_HERE}));
    EXPECT_NE(block, nullptr);
    EXPECT_TRUE(system_.check());
    return block;
  }
  bool grant(Owner& to, Owner& of, Access access) {
    const bool done = memory_.grant(to, of, access);
    EXPECT_TRUE(system_.check());
    return done;
  }
  void enter(Owner* owner) {
    memory_.enter_domain(owner);
    EXPECT_TRUE(system_.check());
  }

  TestSystem system_{preset(GetParam())};
  Memory& memory_ = system_.memory();
  const testing::PoolState boot_ = system_.pool_state();
  AccessProbe probe_;
  Owner& first_ = domain("first");
  Owner& second_ = domain("second");
  Owner& table_ = domain("table");
};

INSTANTIATE_TEST_SUITE_P(Platforms, Grants, ::testing::Values("mtl", "mcu"));

TEST_P(Grants, LetSeveralReadTheSameBlock) {
  std::byte* block = allocate(table_, 2 * kPage);
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  ASSERT_TRUE(grant(second_, table_, Access::read_only));
  EXPECT_EQ(probe_.access(block), Access::closed);
  for (Owner* reader : {&first_, &second_}) {
    enter(reader);
    EXPECT_EQ(memory_.access(*reader, table_), Access::read_only);
    EXPECT_EQ(probe_.access(block), Access::read_only);
    EXPECT_EQ(probe_.access(block + 2 * kPage - 1), Access::read_only);
    EXPECT_EQ(memory_.page_state(block), PageState::read_only);
  }
  enter(&table_);
  EXPECT_EQ(probe_.access(block), Access::open);
  enter(nullptr);
  EXPECT_EQ(probe_.access(block), Access::closed);
}

// docs/isolation.md shows this.
TEST_P(Grants, AreGivenAndTakenBack) {
  Memory& memory = memory_;
  Owner* first = &first_;
  Owner* second = &second_;
  // clang-format off
  Owner* table = memory.create_owner(memory.system(), {OwnerKind::heap, 1, "table"}, {.isolated = true});
  ASSERT_NE(table, nullptr);
  std::byte* block = allocate(*table, 100);
  memory.grant(*first, *table, Access::read_only);
  memory.grant(*second, *table, Access::read_only);
  memory.enter_domain(first);
  EXPECT_EQ(probe_.access(block), Access::read_only);
  memory.enter_domain(nullptr);
  memory.revoke(*first, *table);
  // clang-format on
  memory.enter_domain(first);
  EXPECT_EQ(probe_.access(block), Access::closed);
  memory.enter_domain(second);
  EXPECT_EQ(probe_.access(block), Access::read_only);
}

TEST_P(Grants, HoldThroughBothAliases) {
  const std::ptrdiff_t offset = system_.port().alias_offset();
  std::byte* block = allocate(table_, 100);
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  enter(&first_);
  EXPECT_EQ(probe_.access(block + offset), Access::read_only);
}

TEST_P(Grants, TakeEffectAtOnce) {
  std::byte* block = allocate(table_, 100);
  enter(&first_);
  ASSERT_TRUE(grant(first_, table_, Access::open));
  EXPECT_EQ(probe_.access(block), Access::open);
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  EXPECT_EQ(probe_.access(block), Access::read_only);
  memory_.revoke(first_, table_);
  EXPECT_EQ(probe_.access(block), Access::closed);
  EXPECT_EQ(memory_.access(first_, table_), Access::closed);
  memory_.revoke(first_, table_);
  EXPECT_TRUE(system_.check());
}

TEST_P(Grants, CoverWhatComesLater) {
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  enter(&first_);
  std::byte* block = allocate(table_, kPage);
  EXPECT_EQ(probe_.access(block), Access::read_only);
  enter(&second_);
  EXPECT_EQ(probe_.access(block), Access::closed);
}

TEST_P(Grants, LetTheLibraryWriteAllTheSame) {
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  enter(&first_);
  auto* block =
      static_cast<std::byte*>(memory_.allocate_zeroed({&table_, kPage + 100, 0, 0, MODMEM_HERE}));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(block[kPage + 99], std::byte{0});
  EXPECT_EQ(probe_.access(block), Access::read_only);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_P(Grants, EndWithEitherOfTheTwo) {
  std::byte* block = allocate(table_, 100);
  std::byte* mine = allocate(second_, 100);
  ASSERT_TRUE(grant(first_, table_, Access::open));
  ASSERT_TRUE(grant(first_, second_, Access::read_only));
  enter(&first_);
  memory_.release_owner(first_);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.entered_domain(), nullptr);
  EXPECT_EQ(probe_.access(block), Access::closed);
  EXPECT_EQ(probe_.access(mine), Access::closed);
  Owner& third = domain("third");
  EXPECT_EQ(memory_.access(third, table_), Access::closed);
  ASSERT_TRUE(grant(third, table_, Access::open));
  enter(&third);
  memory_.release_owner(table_);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.access(third, domain("fourth")), Access::closed);
}

TEST_P(Grants, AreRefused) {
  Owner& pipeline = system_.pipeline();
  EXPECT_FALSE(grant(first_, first_, Access::open));
  EXPECT_FALSE(grant(first_, pipeline, Access::read_only));
  EXPECT_FALSE(grant(pipeline, first_, Access::read_only));
  Owner& ended = domain("ended");
  memory_.release_owner(ended);
  EXPECT_FALSE(grant(first_, ended, Access::open));
  EXPECT_EQ(memory_.access(first_, pipeline), Access::open);
  EXPECT_EQ(memory_.access(first_, first_), Access::open);
}

TEST_P(Grants, AreNamedWhereAnAccessFails) {
  std::byte* block = allocate(table_, 100);
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  enter(&first_);
  Line line;
  EXPECT_STREQ(describe_stray_access(line, memory_, block).text(),
               "page read only, as it is granted, in heap table of heap table (id 0x21)");
}

TEST_P(Grants, FaultForWhoWrites) {
  std::byte* block = allocate(table_, 100);
  ASSERT_TRUE(grant(first_, table_, Access::read_only));
  enter(&first_);
  EXPECT_EQ(block[99], block[99]);
  EXPECT_EXIT(*static_cast<volatile char*>(static_cast<void*>(block)) = 1, died_of_access, "");
}

TEST_P(Grants, LeaveNothingBehindWhereMetadataRunsOut) {
  // One grant, with room for others beside it; from then on there is no memory for metadata.
  ASSERT_TRUE(grant(first_, second_, Access::read_only));
  std::vector<Owner*> domains;
  while (Owner* more = memory_.create_owner(memory_.system(), {OwnerKind::heap, 0, "more"},
                                            {.isolated = true})) {
    domains.push_back(more);
  }
  while (memory_.allocate({nullptr, kPage, kPage, flag::kSilent, MODMEM_HERE}) != nullptr) {
  }
  std::size_t done = 0;
  bool refused = false;
  for (Owner* to : domains) {
    for (Owner* of : domains) {
      if (to != of && !refused) {
        refused = !memory_.grant(*to, *of, Access::read_only);
        done += refused ? 0 : 1;
        EXPECT_EQ(memory_.access(*to, *of), refused ? Access::closed : Access::read_only);
      }
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_NE(done, 0U);
  EXPECT_TRUE(system_.check());
}

TEST_P(Grants, AreNotNeededForWhatAllMayRead) {
  enter(&first_);
  Owner* common = memory_.create_owner(memory_.system(), {OwnerKind::heap, 0x22, "common"},
                                       {.isolated = true, .readable = true});
  ASSERT_NE(common, nullptr);
  EXPECT_TRUE(system_.check());
  std::byte* block = allocate(*common, 2 * kPage);
  const std::vector<unsigned char> content(2 * kPage, 7);
  memory_.copy_to(block, content.data(), content.size());
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(std::memcmp(block, content.data(), content.size()), 0);
  for (Owner* reader : {&first_, &second_, static_cast<Owner*>(nullptr)}) {
    enter(reader);
    EXPECT_EQ(probe_.access(block), Access::read_only);
    EXPECT_EQ(probe_.access(block + 2 * kPage - 1), Access::read_only);
    EXPECT_EQ(memory_.page_state(block), PageState::read_only);
  }
  EXPECT_EQ(memory_.access(first_, *common), Access::read_only);
  enter(common);
  EXPECT_EQ(probe_.access(block), Access::open);
  EXPECT_EQ(probe_.access(allocate(first_, 1)), Access::closed);
  enter(&first_);
  ASSERT_TRUE(grant(first_, *common, Access::open));
  EXPECT_EQ(probe_.access(block), Access::open);
  memory_.revoke(first_, *common);
  EXPECT_EQ(probe_.access(block), Access::read_only);
}

TEST_P(Grants, NoHeapButADomainsIsForAllToRead) {
  EXPECT_EQ(memory_.create_owner(memory_.system(), {OwnerKind::heap, 0x22, "common"},
                                 {.kind = HeapKind::elastic, .readable = true}),
            nullptr);
  EXPECT_TRUE(system_.check());
}

TEST_P(Grants, WhatIsCopiedReachesWhatIsClosed) {
  std::byte* block = allocate(table_, 2 * kPage);
  std::byte* source = allocate(first_, 2 * kPage);
  enter(&first_);
  std::memset(source, 9, 2 * kPage);
  memory_.copy_to(block, source, kPage + 10);
  EXPECT_TRUE(system_.check());
  memory_.invalidate(block, kPage + 10);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(probe_.access(block), Access::closed);
  enter(&table_);
  EXPECT_EQ(block[kPage + 9], std::byte{9});
}

// --- any order of calls, against a model ---

// What every domain may reach, and what it reaches: as the port was told, and as the kernel says.
class GrantModel {
 public:
  explicit GrantModel(TestSystem& system, std::uint32_t seed)
      : system_(system), memory_(system.memory()), random_(seed) {
    system_.port().set_on_access([this] { check_step(); });
  }
  ~GrantModel() { system_.port().set_on_access({}); }
  GrantModel(const GrantModel&) = delete;
  GrantModel& operator=(const GrantModel&) = delete;

  void step() {
    switch (random_() % 10) {
      case 0:
        create();
        break;
      case 1:
        end();
        break;
      case 2:
      case 3:
        enter();
        break;
      case 4:
      case 5:
        change_grant();
        break;
      case 6:
        free();
        break;
      case 7:
        memory_.compact(random_() % 8);
        break;
      default:
        allocate();
    }
    ASSERT_TRUE(system_.check());
    check_pages();
  }

  std::size_t checked_steps() const { return checked_steps_; }

 private:
  struct Domain {
    Owner* owner = nullptr;
    std::vector<std::byte*> blocks;
  };

  Access allowed(const Owner* entered, const Owner* of) const {
    const Access common = readable_.contains(of) ? Access::read_only : Access::closed;
    if (entered == nullptr) {
      return common;
    }
    const auto found = grants_.find({entered, of});
    return entered == of            ? Access::open
           : found != grants_.end() ? std::max(found->second, common)
                                    : common;
  }
  // By page of a domain: what whoever runs may do there.
  std::map<std::uint32_t, Access> reachable() const {
    std::map<std::uint32_t, Access> pages;
    const AddressSpace& space = memory_.space();
    for (std::uint32_t page = 0; page < space.window_pages(); ++page) {
      if (const Owner* of = owner_of(page)) {
        pages[page] = allowed(entered_, of);
      }
    }
    return pages;
  }
  // The domain whose page that is; nullptr where it is nobody's or open to all.
  const Owner* owner_of(std::uint32_t page) const {
    if (!memory_.space().is_mapped(page)) {
      return nullptr;
    }
    const HeapReport heap = memory_.locate(memory_.space().address_of(page));
    return heap.name != nullptr && heap.owner->spec.kind == OwnerKind::heap ? heap.owner : nullptr;
  }

  // Between two steps the real access is what the model says, to the page.
  void check_pages() {
    for (const auto& [page, access] : reachable()) {
      ASSERT_EQ(system_.port().access(static_cast<std::uint16_t>(page)), access) << page;
      ASSERT_EQ(probe_.access(memory_.space().address_of(page)), access) << page;
    }
  }
  // While domains are switched, and grants change, nobody reaches what he may reach neither before
  // nor afterwards; and never what the one may reach together with what the other one may.
  void check_step() {
    if (!switching_) {
      return;
    }
    ++checked_steps_;
    bool within_before = true;
    bool within_after = true;
    for (const auto& [page, access] : before_) {
      const Access now = system_.port().access(static_cast<std::uint16_t>(page));
      within_before = within_before && now <= access;
      within_after = within_after && now <= after_.at(page);
    }
    EXPECT_TRUE(within_before || within_after);
  }
  template <typename Change, typename Call>
  void switching(Change change, Call call) {
    before_ = reachable();
    change();
    after_ = reachable();
    switching_ = true;
    call();
    switching_ = false;
  }

  Domain* any() { return domains_.empty() ? nullptr : &domains_[random_() % domains_.size()]; }

  void create() {
    const bool readable = random_() % 4 == 0;
    Owner* owner = memory_.create_owner(memory_.system(), {OwnerKind::heap, 1, "any"},
                                        {.isolated = true, .readable = readable});
    if (owner != nullptr) {
      domains_.push_back({owner, {}});
      if (readable) {
        readable_.insert(owner);
      }
    }
  }
  void end() {
    Domain* domain = any();
    if (domain == nullptr || domains_.size() < 3) {
      return;
    }
    const Owner* owner = domain->owner;
    std::erase_if(grants_, [&](const auto& grant) {
      return grant.first.first == owner || grant.first.second == owner;
    });
    entered_ = entered_ == owner ? nullptr : entered_;
    readable_.erase(owner);
    memory_.release_owner(*domain->owner);
    domains_.erase(domains_.begin() + (domain - domains_.data()));
  }
  void enter() {
    Domain* domain = random_() % 4 == 0 ? nullptr : any();
    Owner* owner = domain != nullptr ? domain->owner : nullptr;
    switching([&] { entered_ = owner; }, [&] { memory_.enter_domain(owner); });
  }
  void change_grant() {
    Domain* to = any();
    Domain* of = any();
    if (to == nullptr || to == of) {
      return;
    }
    const auto access = static_cast<Access>(random_() % 3);
    switching(
        [&] {
          grants_.erase({to->owner, of->owner});
          if (access != Access::closed) {
            grants_[{to->owner, of->owner}] = access;
          }
        },
        [&] { EXPECT_TRUE(memory_.grant(*to->owner, *of->owner, access)); });
  }
  void allocate() {
    Domain* domain = any();
    if (domain == nullptr) {
      return;
    }
    const std::size_t bytes = 1 + random_() % (random_() % 4 == 0 ? 3 * kPage : 200);
    system_.port().host().fail_maps_after(random_() % 4 == 0 ? random_() % 3 : HostPort::kNever);
    void* block = random_() % 2 == 0
                      ? memory_.allocate({domain->owner, bytes, 0, 0, MODMEM_HERE})
                      : memory_.allocate_zeroed({domain->owner, bytes, 0, 0, MODMEM_HERE});
    system_.port().host().fail_maps_after(HostPort::kNever);
    if (block != nullptr) {
      domain->blocks.push_back(static_cast<std::byte*>(block));
    }
  }
  void free() {
    Domain* domain = any();
    if (domain == nullptr || domain->blocks.empty()) {
      return;
    }
    const auto at = static_cast<std::ptrdiff_t>(random_() % domain->blocks.size());
    EXPECT_EQ(memory_.free(domain->blocks[static_cast<std::size_t>(at)]), PointerStatus::live);
    domain->blocks.erase(domain->blocks.begin() + at);
  }

  TestSystem& system_;
  Memory& memory_;
  std::mt19937 random_;
  AccessProbe probe_;
  std::vector<Domain> domains_;
  std::map<std::pair<const Owner*, const Owner*>, Access> grants_;
  std::set<const Owner*> readable_;
  const Owner* entered_ = nullptr;
  bool switching_ = false;
  std::map<std::uint32_t, Access> before_;
  std::map<std::uint32_t, Access> after_;
  std::size_t checked_steps_ = 0;
};

class AnyOrder : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Platforms, AnyOrder, ::testing::Bool());

TEST_P(AnyOrder, GivesEachDomainWhatTheModelSays) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    TestSystem system(testing::small_platform(GetParam(), 64));
    GrantModel model(system, seed);
    for (int i = 0; i < 600 && !HasFatalFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(i));
      model.step();
    }
    EXPECT_GT(model.checked_steps(), 100U);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace modmem
