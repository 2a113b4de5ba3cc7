#include "testbench/modules/factory.hpp"

#include <set>

#include "testbench/modules/copier.hpp"
#include "testbench/modules/gain.hpp"
#include "testbench/modules/mixout.hpp"
#include "testbench/modules/modules_testing.hpp"
#include "testbench/modules/placeholder.hpp"

namespace modmem::testbench {
namespace {

using FactoryTest = ModuleTest;

constexpr Uuid kUnknownUuid = *parse_uuid("00112233-4455-6677-8899-aabbccddeeff");

template <typename T>
bool makes(const Uuid& uuid, ModuleMemory& memory) {
  const ModuleHandle<Module> module = make_module(uuid, memory);
  return dynamic_cast<T*>(module.get()) != nullptr;
}

TEST_F(FactoryTest, MakesTheModuleOfAUuid) {
  EXPECT_TRUE(makes<Copier>(kCopierUuid, memory));
  EXPECT_TRUE(makes<Gain>(kGainUuid, memory));
  EXPECT_TRUE(makes<Copier>(kMixinUuid, memory));
  EXPECT_TRUE(makes<Mixout>(kMixoutUuid, memory));
  EXPECT_TRUE(makes<Placeholder>(kUnknownUuid, memory));
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(FactoryTest, KnowsWhichUuidsHaveAPlaceholder) {
  EXPECT_EQ(find_module(kUnknownUuid), nullptr);
  EXPECT_EQ(find_module(Uuid{}), nullptr);
  ASSERT_NE(find_module(kGainUuid), nullptr);
  EXPECT_EQ(find_module(kGainUuid)->name, "gain");
}

TEST_F(FactoryTest, TheTableHasNoDoubles) {
  std::set<Uuid> uuids;
  std::set<std::string_view> names;
  for (const ModuleInfo& module : known_modules()) {
    EXPECT_TRUE(uuids.insert(module.uuid).second);
    EXPECT_TRUE(names.insert(module.name).second);
    EXPECT_EQ(find_module(module.uuid), &module);
  }
  EXPECT_FALSE(uuids.empty());
}

TEST_F(FactoryTest, AModuleIsChargedToItsMemoryAndGoesWithItsHandle) {
  ModuleHandle<Module> module = make_module(kGainUuid, memory);
  ASSERT_TRUE(module);
  EXPECT_EQ(memory.held_bytes(), sizeof(Gain));
  ASSERT_TRUE(module->init(Widget{}, memory));
  const StreamFormat format;
  ASSERT_TRUE(module->prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_GT(memory.held_bytes(), sizeof(Gain));
  module.reset();
  EXPECT_EQ(memory.held_bytes(), 0U);
  EXPECT_EQ(memory.close(), 0U);
  EXPECT_TRUE(system.check());
}

TEST_F(FactoryTest, IsEmptyWhereMemoryRanOut) {
  limit_memory(4);
  EXPECT_FALSE(make_module(kGainUuid, memory));
  EXPECT_FALSE(make_module(kUnknownUuid, memory));
  EXPECT_EQ(memory.failures(), 2U);
}

}  // namespace
}  // namespace modmem::testbench
