// Crossover: splits audio into 2, 3 or 4 bands, each for an output of its own.
//
// Bands are split by Linkwitz-Riley filters of fourth order: a low-pass (L) and a high-pass (H) of
// the same frequency, each the same section twice, whose sum has a flat response. The splits form a
// tree; with 3 bands the lowest goes through L1 + H1 besides, which only turns its phase, as that
// of the others was turned, so that the sum of all bands stays flat (with 4, it dips a little):
//
//   2: L0 | H0     3: L0(L1 + H1) | H0 L2 | H0 H2     4: L1 L0 | L1 H0 | H1 L2 | H1 H2
//
// The blob is SOF's: bytes in all, bands, 16 reserved bytes, the output pin of each of 4 bands,
// then a section (see biquad.hpp) for each of L0, H0, and, from 3 bands on, L1, H1, L2, H2.
// An output that no band goes to is silent; a band whose pin has no output goes nowhere. Without a
// blob every output gets the input, bit for bit. Arithmetic is in double; what leaves is rounded
// once.
// A new blob takes over between two periods; with as many bands as before, the filters keep their
// state, else they start from rest.
// Memory: the sections for life; while prepared, 2 states for each section and channel.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "testbench/modules/biquad.hpp"
#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr Uuid kCrossoverUuid = *parse_uuid("948c9ad1-806a-4131-ad6c-b2bda9e35a9f");

class Crossover final : public Module {
 public:
  static constexpr std::size_t kMostBands = 4;

  // Throws InputError where the blob ends too early, a number in it is not possible, or two bands
  // go to one pin.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  // Output i is pin i.
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  // Splits the frames of the first input; frames that it lacks are silent.
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
  // Throws InputError as init() does. Between the two, it holds both configurations.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;

 private:
  using Bands = std::array<BlockOfValues, kMostBands>;
  struct Configuration {
    std::size_t bands = 0;                         // 0: it passes
    std::array<std::uint32_t, kMostBands> pins{};  // of each band
    ModuleArray<Biquad> sections;                  // L0, H0, L1, H1, L2, H2
  };

  static bool take_configuration(ConfigurationBlob& blob, Configuration& configuration,
                                 ModuleMemory& memory);
  static bool set_up(const Configuration& configuration, std::uint32_t channels,
                     ModuleArray<BiquadState>& states, ModuleMemory& memory);

  // Filters with section `index` twice.
  void filter(std::size_t index, BiquadState* states, std::span<const double> values,
              std::span<double> result) const;
  void split(BiquadState* states, std::span<const std::int32_t> samples, Bands& bands) const;

  Configuration configuration_;
  std::uint32_t channels_ = 0;       // 0: not prepared
  ModuleArray<BiquadState> states_;  // all of the first channel, then the next
};

}  // namespace modmem::testbench
