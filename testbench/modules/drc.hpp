// DRC: a compressor that looks ahead.
//
// Delays the audio of input 0 by its look-ahead and multiplies all of its channels with the gain
// that DrcEnvelope derives from the undelayed audio, in divisions of 32 frames. The look-ahead is
// rounded down to whole divisions, one at least. Gains are doubles, and products are rounded and
// saturated once, to the output's format. Further inputs are consumed and have no effect.
//
// Without a blob, or with one that is disabled, audio passes as transfer() says: bit for bit,
// without delay. An enabled one can be switched off while it plays: audio then passes bit for bit,
// as late as before, and the gain stands still. A new blob takes over between two periods: what is
// delayed stays, as far as the new look-ahead reaches; one that enables what was not starts from
// silence.
// Memory: the look-ahead of every channel while prepared, 4 bytes for a sample.
#pragma once

#include "testbench/modules/drc_envelope.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr Uuid kDrcUuid = *parse_uuid("b36ee4da-006f-47f9-a06d-fecbe2d8b6ce");

class Drc final : public Module {
 public:
  // Throws InputError as read_drc_parameters() does.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

  // Throws InputError as init() does. Between the two, it holds the delays of both where they are
  // of different length.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;
  // The switch, as set_switch().
  bool set_control(const Control& control, std::span<const std::int64_t> values,
                   ModuleMemory& memory) override;

  // The switch that users see, on until it is switched off; a blob that is disabled stays so. Keeps
  // its position through reset() and prepare(). O(1); not while process() runs.
  void set_switch(bool on) { switched_on_ = on; }

 private:
  std::size_t delay_for(const DrcParameters& parameters) const;
  bool change_to(const DrcParameters& parameters, ModuleMemory& memory);
  void process_block(const InputView& in, std::size_t first, std::size_t frames,
                     std::span<const OutputView> outputs);

  DrcParameters parameters_;
  std::uint32_t channels_ = 0;  // 0: not prepared
  std::uint32_t rate_ = 0;
  bool switched_on_ = true;
  DrcEnvelope envelope_;
  DrcEnvelope::Division peaks_{};    // of the division that comes in
  DrcEnvelope::Division gains_{};    // of the division that goes out
  ModuleArray<std::int32_t> delay_;  // delay_frames_ of each channel, channel after channel
  std::size_t delay_frames_ = 0;     // a multiple of a division, 0 where audio passes
  std::size_t at_ = 0;               // where the oldest frame lies, and the next goes
};

}  // namespace modmem::testbench
