// Gain: multiplies every channel by a gain of at most 1, and ramps from one gain to the next.
//
// As IPC4 has it: the widget names an initial gain, a curve and its duration; playing starts at
// silence and reaches the initial gain along the curve. Products are exact until they are rounded
// once, to the output's format, so that unity passes samples bit for bit and any other gain is
// within half a step of the exact product. A volume control sets the gain, a switch mutes; what is
// muted keeps its gain for later. Memory: the targets of all channels that there can be for life,
// the ramps of those that there are while prepared.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>

#include "testbench/modules/gain_ramp.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class Gain final : public Module {
 public:
  // Throws InputError where the initial gain is above unity, or the curve is unknown or
  // logarithmic, which firmware refuses as well. A widget without gain settings has unity and no
  // ramp.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

  // A volume with a dB scale, or a switch, on of which is not muted; as set_gain(), along the
  // curve. Channels beyond those of the control follow its last one.
  bool set_control(const Control& control, std::span<const std::int64_t> values,
                   ModuleMemory& memory) override;

  // Lets the gain of `channel` (nothing: of every channel) go to `q31` from where it is now, along
  // the curve. What is above 0x7fffffff counts as that, unity. Keeps its value through reset() and
  // prepare(). Returns false, with nothing changed, exactly where there is no such channel.
  // Requires init(). O(channels); allocates nothing; not while process() runs.
  bool set_gain(std::optional<std::uint32_t> channel, std::uint32_t q31);

 private:
  bool passes_through() const;
  Gain31 target(std::size_t channel) const { return muted_[channel] ? 0 : targets_[channel]; }
  void follow_target(std::size_t channel);

  GainCurve curve_ = GainCurve::none;
  std::uint64_t duration_100ns_ = 0;
  ModuleArray<Gain31> targets_;      // one for each channel that there can be
  std::bitset<kMaxChannels> muted_;  // by the switch
  ModuleArray<GainRamp> ramps_;      // one for each channel that is prepared
};

}  // namespace modmem::testbench
