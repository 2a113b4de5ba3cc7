// CModule: a module of a shared object at work, behind the testbench's own interface.
//
// What modmem/module_interface.h says to modules is kept here and in CStreams. Errors other than
// -ENOMEM become InputErrors that name the widget, its id, the module and the file. One that
// crashes is not called again, where a CrashCatcher lives.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "testbench/modules/c_instance.hpp"
#include "testbench/modules/c_streams.hpp"
#include "testbench/modules/loaded_modules.hpp"
#include "testbench/modules/module.hpp"
#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

class CModule final : public Module {
 public:
  // An instance of `module`, which must outlive it, for the component that `memory` is open for.
  CModule(const LoadedModule& module, ModuleMemory& memory)
      : module_(module),
        interface_(*module.interface),
        instance_(memory),
        id_(memory.owner()->spec.id) {}
  // Has the module free what it took; what it does not free is reported as leaks.
  ~CModule() override;

  // Also hands over the configurations that the widget's controls begin with. Throws InputError
  // where the module refuses the widget or its configuration, or that is not as SOF's are.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  // Throws InputError where the module refuses the formats, or asks for blocks of more than ten
  // seconds.
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
  void abandon() override;
  bool set_control_blob(const Control& control, std::span<const std::byte> blob,
                        ModuleMemory& memory) override;

  bool kept_up() const override { return kept_up_; }
  ProcessErrors errors() const override { return errors_; }

 private:
  bool succeeded(int error, const char* what) const;
  bool configure(std::uint32_t id, std::span<const std::byte> blob);
  // What `call`, which calls a function of the module, returns; kCrashed where that crashed.
  template <typename Call>
  int guarded(ModulePhase phase, Call call);

  const LoadedModule& module_;
  const modmem_module_interface& interface_;
  CInstance instance_;
  std::string who_;  // the widget, its id and the module, for messages
  std::uint32_t id_;
  bool initialised_ = false;
  bool crashed_ = false;  // not called any more: its outputs are silent
  CStreams streams_;
  bool kept_up_ = true;
  ProcessErrors errors_;
};

}  // namespace modmem::testbench
