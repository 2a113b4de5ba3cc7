// IIR equaliser: each channel goes through the sections of its response.
//
// The blob is SOF's: bytes in all, channels, responses, 16 reserved bytes; a response for each
// channel, in 32 bits; then each response: how many sections, how many of them form a chain, 16
// reserved bytes, the sections (see biquad.hpp). Chains that stand beside each other get the same
// input and are summed. Arithmetic is in double; what leaves is rounded once. Without a blob, and
// on channels that have no response, audio passes bit for bit.
// A new blob takes over between two periods; a channel that keeps its number of sections keeps its
// state, every other starts from rest.
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
  // Throws InputError as init() does. Between the two, it holds both configurations.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;

 private:
  struct Response {
    std::size_t in_chain = 0;
    ModuleArray<Biquad> sections;
  };
  struct Configuration {
    ResponseMap map;
    ModuleArray<Response> responses;
  };
  struct Channel {
    const Response* response = nullptr;  // none: it passes
    BiquadState* states = nullptr;       // one for each section

    std::size_t sections() const { return response == nullptr ? 0 : response->sections.size(); }
  };
  // What prepare() takes: nothing where all channels pass.
  struct Filters {
    ModuleArray<Channel> channels;
    ModuleArray<BiquadState> states;
  };

  static bool take_configuration(ConfigurationBlob& blob, Configuration& configuration,
                                 ModuleMemory& memory);
  static bool take_response(ConfigurationBlob& blob, Response& response, ModuleMemory& memory);
  static bool set_up(const Configuration& configuration, std::uint32_t channels, Filters& filters,
                     ModuleMemory& memory);
  static void filter(const Channel& channel, std::span<const std::int32_t> samples,
                     std::span<double> result);

  Configuration configuration_;
  std::uint32_t channels_ = 0;  // 0: not prepared
  Filters filters_;
};

}  // namespace modmem::testbench
