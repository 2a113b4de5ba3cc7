// DC blocker: takes the constant part out of every channel.
//
//   y[n] = x[n] - x[n-1] + R y[n-1]
//
// with an R of its own for each channel: the nearer to 1, the lower the frequencies that it takes
// out. The blob is SOF's: an R for each channel, in Q2.30; further channels have that of the last.
// An R of exactly 1 passes audio bit for bit, and so does a module without a blob, as in firmware.
// Arithmetic is in double; what leaves is rounded once.
// New Rs take over between two periods; the channels keep their state.
// Memory: the Rs for life; the state of each channel while prepared; neither without a blob.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "testbench/modules/biquad.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr Uuid kDcBlockUuid = *parse_uuid("b809efaf-5681-42b1-9ed6-04bb012dd384");

class DcBlock final : public Module {
 public:
  // Throws InputError where the blob is not a whole number of coefficients, has more of them than
  // streams have channels, or one is not between 0 and 1.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  // Filters the frames of the first input, for every output; frames that it lacks are silent.
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
  // Throws InputError as init() does. Between the two, it holds both configurations.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;

 private:
  static bool take_poles(ConfigurationBlob& blob, ModuleArray<double>& poles, ModuleMemory& memory);

  ModuleArray<double> poles_;        // the Rs
  std::uint32_t channels_ = 0;       // 0: not prepared
  ModuleArray<BiquadState> states_;  // one for each channel; none where there are no Rs
};

}  // namespace modmem::testbench
