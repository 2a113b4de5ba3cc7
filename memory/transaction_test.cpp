// Transaction: what was set up is undone in reverse order, or kept.

#include "memory/transaction.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

OwnerSpec pipeline(std::uint32_t id) {
  return {.kind = OwnerKind::pipeline, .id = id, .name = "pipeline"};
}

class TransactionTest : public ::testing::Test {
 protected:
  // Takes some of everything. Returns the owner that was there before.
  void set_up(Transaction& setup) {
    Owner* made = setup.create_owner(memory_.system(), pipeline(1));
    ASSERT_NE(made, nullptr);
    Owner* module = setup.create_owner(*made, {.kind = OwnerKind::module});
    ASSERT_NE(module, nullptr);
    ASSERT_NE(setup.allocate({module, 3 * kPage, 0, 0, {}}), nullptr);
    ASSERT_NE(setup.allocate({&before_, 100, 0, 0, {}}), nullptr);
    ASSERT_NE(memory_.allocate({module, 100, 0, 0, {}}), nullptr);  // ends with its owner
    const Need needs[] = {{.bytes = 5 * kPage, .blocks = 2}};
    PlanEntry plan[2];
    plan[0].owner = &before_;
    plan[0].needs = needs;
    plan[1].parent = &memory_.system();
    plan[1].spec = pipeline(2);
    plan[1].needs = needs;
    ASSERT_TRUE(setup.admit(plan));
    ASSERT_NE(setup.allocate({plan[1].owner, 4 * kPage, 0, 0, {}}), nullptr);
    ASSERT_TRUE(system_.check());
  }

  TestSystem system_{small_platform(true, 64)};
  Memory& memory_ = system_.memory();
  Owner& before_ = system_.pipeline(9);
  TransactionStep steps_[12];
};

TEST_F(TransactionTest, IsUndoneAtItsEnd) {
  ASSERT_NE(memory_.allocate({&before_, 100, 0, 0, {}}), nullptr);
  const auto state = system_.pool_state();
  {
    Transaction setup(memory_, steps_);
    set_up(setup);
    EXPECT_NE(system_.pool_state(), state);
  }
  EXPECT_EQ(system_.pool_state(), state);
  EXPECT_EQ(before_.own, 100U);
  EXPECT_EQ(memory_.system().tree, 100U);
  EXPECT_TRUE(system_.check());
  EXPECT_TRUE(system_.seen().leaks.empty());
  EXPECT_TRUE(system_.seen().faults.empty());
}

TEST_F(TransactionTest, StaysWhereItIsCommitted) {
  {
    Transaction setup(memory_, steps_);
    set_up(setup);
    setup.commit();
    EXPECT_EQ(setup.steps(), 0U);
    ASSERT_NE(setup.allocate({&before_, 7, 0, 0, {}}), nullptr);  // is not committed
  }
  EXPECT_EQ(before_.own, 100U);
  EXPECT_EQ(memory_.system().tree, 7 * kPage + 200);
  EXPECT_GT(memory_.reserved_frames(before_), 0U);
  EXPECT_TRUE(system_.check());
}

TEST_F(TransactionTest, IsTakenBackInReverseOrder) {
  std::vector<std::size_t> order;
  const auto note = [](void* context, std::size_t number) {
    static_cast<std::vector<std::size_t>*>(context)->push_back(number);
  };
  Transaction setup(memory_, steps_);
  EXPECT_TRUE(setup.on_undo(note, &order, 1));
  EXPECT_TRUE(setup.on_undo(note, &order, 2));
  setup.undo();
  setup.undo();
  EXPECT_EQ(order, (std::vector<std::size_t>{2, 1}));
}

TEST_F(TransactionTest, ForgetsWhatIsFreedInIt) {
  Transaction setup(memory_, steps_);
  void* first = setup.allocate({&before_, 10, 0, 0, {}});
  void* second = setup.allocate({&before_, 20, 0, 0, {}});
  void* third = setup.allocate({&before_, 30, 0, 0, {}});
  EXPECT_EQ(setup.free(second), PointerStatus::live);
  EXPECT_EQ(setup.steps(), 2U);
  void* other = memory_.allocate({&before_, 20, 0, 0, {}});  // at the same place
  setup.undo();
  EXPECT_EQ(memory_.status(first), PointerStatus::not_live);
  EXPECT_EQ(memory_.status(third), PointerStatus::not_live);
  EXPECT_EQ(memory_.status(other), PointerStatus::live);
  EXPECT_EQ(before_.own, 20U);
  EXPECT_EQ(setup.free(first), PointerStatus::not_live);
  EXPECT_TRUE(system_.check());
}

TEST_F(TransactionTest, MakesNothingThatItHasNoStepFor) {
  TransactionStep two[2];
  Transaction setup(memory_, two);
  ASSERT_NE(setup.allocate({&before_, 10, 0, 0, {}}), nullptr);
  PlanEntry plan[2];
  plan[0].owner = plan[1].owner = &before_;
  EXPECT_FALSE(setup.admit(plan));
  ASSERT_NE(setup.create_owner(memory_.system(), pipeline(1)), nullptr);
  EXPECT_EQ(setup.create_owner(memory_.system(), pipeline(2)), nullptr);
  EXPECT_EQ(setup.allocate({&before_, 10, 0, 0, {}}), nullptr);
  EXPECT_FALSE(setup.on_undo([](void*, std::size_t) {}, nullptr));
  EXPECT_EQ(before_.own, 10U);
  EXPECT_TRUE(system_.seen().failures.empty());
}

// Wherever memory runs out, nothing is left.
TEST_F(TransactionTest, LeavesNothingWhereverItFails) {
  const auto state = system_.pool_state();
  for (std::size_t room = 1; room < 60; ++room) {
    void* rest = memory_.allocate({&before_, (60 - room) * kPage, 0, flag::kSilent, {}});
    const auto with_rest = system_.pool_state();
    {
      Transaction setup(memory_, steps_);
      Owner* made = setup.create_owner(memory_.system(), pipeline(1));
      for (int i = 0; made != nullptr && i < 10; ++i) {
        if (setup.allocate({made, kPage * 6, 0, flag::kSilent, {}}) == nullptr) {
          break;
        }
      }
    }
    ASSERT_EQ(system_.pool_state(), with_rest) << room;
    ASSERT_TRUE(system_.check()) << room;
    memory_.free(rest);
  }
  EXPECT_EQ(system_.pool_state(), state);
}

}  // namespace
}  // namespace modmem
