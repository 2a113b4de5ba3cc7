// FIR equaliser: each channel is convolved with the taps of its response.
//
// The blob is SOF's: bytes in all in 32 bits, channels and responses in 16 bits each, 16 reserved
// bytes; a response for each channel, in 16 bits; then each response: how many taps, the number of
// bits by which the sum is shifted right, 16 reserved bytes, the taps in Q1.15. Sums are exact, in
// 64-bit integers, until what leaves is rounded once. Without a blob, and on channels that have no
// response, audio passes bit for bit.
// A new blob takes over between two periods, and every channel goes on with the samples that it
// had. Memory: the taps for life; while prepared, an entry for each channel and the samples that it
// looks back to, one less than its taps, in one large buffer; unless all channels pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "testbench/modules/module.hpp"
#include "testbench/modules/response_map.hpp"

namespace modmem::testbench {

inline constexpr Uuid kEqFirUuid = *parse_uuid("43a90ce7-f3a5-41df-ac06-ba98651ae6a3");

class EqFir final : public Module {
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
    std::int32_t shift = 0;
    ModuleArray<std::int16_t> taps;

    std::size_t history() const { return taps.size() - 1; }
  };
  struct Configuration {
    ResponseMap map;
    ModuleArray<Response> responses;
  };
  struct Channel {
    const Response* response = nullptr;  // none: it passes
    std::int32_t* history = nullptr;     // the latest length() samples, oldest first

    std::size_t length() const { return response == nullptr ? 0 : response->history(); }
  };
  // What prepare() takes: nothing where all channels pass.
  struct Filters {
    ModuleArray<Channel> channels;
    ModuleArray<std::int32_t> histories;
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
