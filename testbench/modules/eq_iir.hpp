// IIR equaliser: each channel goes through the sections of its response.
//
// The blob is SOF's: bytes in all, channels, responses, 16 reserved bytes; a response for each
// channel, in 32 bits; then each response: how many sections, how many of them form a chain, 16
// reserved bytes, the sections (see biquad.hpp). Chains that stand beside each other get the same
// input and are summed. Arithmetic is in double; what leaves is rounded once. Without a blob, and
// on channels that have no response, audio passes bit for bit.
// Memory: the sections for life; while prepared, an entry for each channel and the state of its
// sections, unless all channels pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "testbench/modules/biquad.hpp"
#include "testbench/modules/module.hpp"
#include "testbench/modules/response_map.hpp"

namespace modmem::testbench {

inline constexpr Uuid kEqIirUuid = *parse_uuid("5150c0e6-27f9-4ec8-8351-c705b642d12f");

class EqIir final : public Module {
 public:
  // Throws InputError where the blob ends too early, or a number in it is not possible.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  // Filters the frames of the first input, for every output; frames that it lacks are silent.
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

 private:
  struct Response {
    std::size_t in_chain = 0;
    ModuleArray<Biquad> sections;
  };
  struct Channel {
    const Response* response = nullptr;  // none: it passes
    BiquadState* states = nullptr;       // one for each section
  };

  bool take_response(ConfigurationBlob& blob, Response& response, ModuleMemory& memory);
  static void filter(const Channel& channel, std::span<const std::int32_t> samples,
                     std::span<double> result);

  ResponseMap map_;
  ModuleArray<Response> responses_;
  ModuleArray<Channel> channels_;
  ModuleArray<BiquadState> states_;
};

}  // namespace modmem::testbench
