// SRC: converts the sample rate, from any rate to any other.
//
// Input 0 goes to every output, each at its own rate, through a polyphase filter of its own (see
// SrcConverter); samples and channels are converted on the way, and rounded once. An output of the
// input's rate gets the audio as it is, without delay and bit for bit. Further inputs are consumed
// and have no effect. Arithmetic is in fixed point: between any two of the usual rates, a tone of
// 1 kHz comes out 100 dB above all that the conversion adds to it.
// Memory: none for life but its own object; while prepared, what SrcFilter and SrcConverter say.
#pragma once

#include "testbench/modules/module.hpp"
#include "testbench/modules/src_converter.hpp"

namespace modmem::testbench {

inline constexpr Uuid kSrcUuid = *parse_uuid("e61bb28d-149a-4c1f-b709-46823ef5f5ae");
// A build of the same with fewer pairs of rates.
inline constexpr Uuid kSrcLiteUuid = *parse_uuid("33441051-44cd-466a-83a3-178478708aea");

class Src final : public Module {
 public:
  // Throws InputError where the widget asks for a rate of 0, which firmware refuses as well.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

 private:
  std::uint32_t rate_in_ = 0;
  ModuleArray<SrcConverter> converters_;  // one for each output; those of equal rate stay unused
};

}  // namespace modmem::testbench
