// Selector (micsel): every channel out is a weighted sum of the channels in.
//
// Its blob, after SOF's header, is one of two:
//   - profiles of 132 bytes, 1 to 8 of them: one byte each for the channels in, the channels out
//     and their configurations, then the weights, 16 bits in Q6.10, as 8 rows (channels out) of 8
//     (channels in). A single profile serves all formats; of several, the one with the formats'
//     numbers of channels does, or that for 8 and 8 channels where both are equal;
//   - the plain configuration of 12 bytes: the channels in, the channels out, the channel to
//   select;
//     0 channels stand for any number. With one channel out it gets the selected one; with more,
//     each gets its namesake.
// Sums are exact, in 64 bits, until each is rounded and saturated once, to the output's format: a
// weight of one passes bit for bit. Without a blob, audio passes as transfer() says. Input 0 goes
// to every output; further inputs are consumed and have no effect. A new blob takes over between
// two periods. Memory: the profiles and the widget's name for life, 16 bytes for each output while
// prepared.
#pragma once

#include <array>
#include <cstdint>

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class ConfigurationBlob;

inline constexpr Uuid kSelectorUuid = *parse_uuid("32fe92c1-1e17-4fc2-9758-c7f3542e980a");

class Selector final : public Module {
 public:
  static constexpr std::uint32_t kMostChannels = 8;
  static constexpr int kFraction = 10;

  // Throws InputError where the blob is neither of the two, or its numbers are out of range.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  // Throws InputError where there are profiles but none for these formats, or a format has more
  // channels than a profile can.
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
  // Throws InputError as init() and prepare() do. Between the two, it holds both configurations.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;

  struct Profile {
    std::uint32_t channels_in = 0;  // 0: any number
    std::uint32_t channels_out = 0;
    std::array<std::array<std::int16_t, kMostChannels>, kMostChannels> weights{};  // [out][in]
  };

 private:
  struct Choice {
    const Profile* profile = nullptr;  // none: audio passes
    std::uint32_t channels = 0;        // of the output
  };

  static bool take_profiles(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                            ModuleMemory& memory);
  static bool read_profiles(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                            ModuleMemory& memory);
  static bool read_plain(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                         ModuleMemory& memory);
  const Profile* choose(const ModuleArray<Profile>& profiles, std::uint32_t channels_out) const;

  ModuleArray<char> name_;  // the widget's, for messages
  ModuleArray<Profile> profiles_;
  std::uint32_t channels_in_ = 0;
  ModuleArray<Choice> choices_;  // for each output
};

}  // namespace modmem::testbench
