// PlannedModule: stands in for a module in a plan: takes what its footprint says, and does nothing.
//
// The stand-in itself lies in host memory, as what it stands for is among the blocks that it takes.
// A module without a footprint takes what the topology declares, as a placeholder does
// (testbench/modules/placeholder.hpp).
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "testbench/component.hpp"
#include "testbench/plan/footprint.hpp"

namespace modmem::testbench {

class PlannedModule final : public Module {
 public:
  // The phases must outlive it.
  PlannedModule(const PlannedPhase& init, const PlannedPhase& prepare)
      : init_(init), prepare_(prepare) {}
  // Gives back what it took.
  ~PlannedModule() override;
  PlannedModule(const PlannedModule&) = delete;
  PlannedModule& operator=(const PlannedModule&) = delete;

  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

 private:
  const PlannedPhase& init_;
  const PlannedPhase& prepare_;
  ModuleMemory* memory_ = nullptr;  // from init() on
  std::vector<void*> initial_;      // blocks
  std::vector<void*> prepared_;     // likewise
};

// What is known of a module's footprint.
enum class Coverage : std::uint8_t {
  known,
  estimated,  // some of it is the most that was seen of such modules
  uncovered,  // there is a footprint, but not for these formats or this configuration
  unknown,    // there is none
};
const char* to_string(Coverage coverage);

// The stand-ins of a graph's modules.
class PlannedModules final : public StandIns {
 public:
  // All must outlive it. Throws InputError, which names the module, where a footprint makes no
  // sense for it.
  PlannedModules(const StreamGraph& graph, const FootprintTable& table);

  std::unique_ptr<Module> make(const StreamNode& node) const override;

  Coverage coverage(std::size_t node) const { return plans_[node].coverage; }
  // Whether the module of the node takes less where there is no more.
  bool yields(std::size_t node) const;
  // What the module of the node is counted with, in all, as asked for.
  std::size_t bytes(std::size_t node) const;

 private:
  struct Plan {
    PlannedPhase init;
    PlannedPhase prepare;
    Coverage coverage = Coverage::unknown;
  };

  const StreamGraph& graph_;
  std::vector<Plan> plans_;  // by node
};

}  // namespace modmem::testbench
