#include "testbench/modules/crossover.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "testbench/audio/convert.hpp"
#include "testbench/modules/configuration_blob.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kReservedBytes = 16;
constexpr std::size_t kStatesPerSection = 2;

// Where each filter's section stands in the blob.
constexpr std::size_t kLow0 = 0;
constexpr std::size_t kHigh0 = 1;
constexpr std::size_t kLow1 = 2;
constexpr std::size_t kHigh1 = 3;
constexpr std::size_t kLow2 = 4;
constexpr std::size_t kHigh2 = 5;

constexpr std::size_t sections_of(std::size_t bands) { return bands == 2 ? 2 : 6; }

}  // namespace

bool Crossover::init(const Widget& widget, ModuleMemory& memory) {
  configuration_ = {};
  ConfigurationBlob blob(widget);
  return take_configuration(blob, configuration_, memory);
}

bool Crossover::take_configuration(ConfigurationBlob& blob, Configuration& configuration,
                                   ModuleMemory& memory) {
  if (blob.empty()) {
    return true;
  }
  blob.take_size();
  const auto bands = blob.take<std::uint32_t>("the number of bands");
  blob.require_range(bands, 2, kMostBands, "a number of bands");
  blob.skip(kReservedBytes, "the reserved bytes");
  std::array<std::uint32_t, kMostBands>& pins = configuration.pins;
  for (std::uint32_t& pin : pins) {
    pin = blob.take<std::uint32_t>("a band's pin");
  }
  for (std::size_t band = 0; band < bands; ++band) {
    blob.require_range(pins[band], 0, kMaxPins - 1, "a band's pin");
    for (std::size_t other = 0; other < band; ++other) {
      if (pins[other] == pins[band]) {
        blob.fail("bands " + std::to_string(other) + " and " + std::to_string(band) +
                  " both go to pin " + std::to_string(pins[band]));
      }
    }
  }
  configuration.sections = memory.make_array<Biquad>(sections_of(bands));
  if (!configuration.sections) {
    return false;
  }
  for (std::size_t i = 0; i < configuration.sections.size(); ++i) {
    blob.set_context("section " + std::to_string(i));
    configuration.sections[i] = take_biquad(blob);
  }
  configuration.bands = bands;
  return true;
}

bool Crossover::prepare(std::span<const StreamFormat> inputs,
                        std::span<const StreamFormat> /*outputs*/, ModuleMemory& memory) {
  channels_ = inputs.empty() ? 0 : inputs.front().channels;
  return set_up(configuration_, channels_, states_, memory);
}

bool Crossover::set_up(const Configuration& configuration, std::uint32_t channels,
                       ModuleArray<BiquadState>& states, ModuleMemory& memory) {
  const std::size_t count = kStatesPerSection * configuration.sections.size() * channels;
  states = memory.make_array<BiquadState>(count);
  return count == 0 || static_cast<bool>(states);
}

bool Crossover::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ConfigurationBlob blob(payload);
  Configuration configuration;
  ModuleArray<BiquadState> states;
  if (!take_configuration(blob, configuration, memory) ||
      !set_up(configuration, channels_, states, memory)) {
    return false;
  }
  if (configuration.bands == configuration_.bands) {
    std::copy(states_.begin(), states_.end(), states.begin());
  }
  states_ = std::move(states);
  configuration_ = std::move(configuration);
  return true;
}

void Crossover::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!states_) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  const std::span<const std::uint32_t> pins(configuration_.pins.data(), configuration_.bands);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (std::find(pins.begin(), pins.end(), i) == pins.end()) {
      silence_frames(outputs[i].data, outputs[i].format, outputs[i].frames);
    } else {
      silence_unfed(in, outputs[i]);
    }
  }
  for_each_channel_block(in, [&](std::uint32_t channel, std::size_t first,
                                 std::span<const std::int32_t> samples) {
    Bands bands;
    split(&states_[kStatesPerSection * configuration_.sections.size() * channel], samples, bands);
    for (std::size_t band = 0; band < pins.size(); ++band) {
      if (pins[band] < outputs.size()) {
        store_channel(outputs[pins[band]], channel, in.format.channels, first,
                      {bands[band].data(), samples.size()});
      }
    }
  });
}

void Crossover::reset(ModuleMemory& /*memory*/) {
  states_.reset();
  channels_ = 0;
}

void Crossover::filter(std::size_t index, BiquadState* states, std::span<const double> values,
                       std::span<double> result) const {
  std::copy(values.begin(), values.end(), result.begin());
  for (std::size_t i = 0; i < kStatesPerSection; ++i) {
    run(configuration_.sections[index], states[kStatesPerSection * index + i], result);
  }
}

void Crossover::split(BiquadState* states, std::span<const std::int32_t> samples,
                      Bands& bands) const {
  const std::size_t count = samples.size();
  const auto part = [count](BlockOfValues& block) { return std::span(block.data(), count); };
  BlockOfValues input_block;
  BlockOfValues low_block;
  BlockOfValues high_block;
  const std::span<double> input = part(input_block);
  const std::span<double> low = part(low_block);
  const std::span<double> high = part(high_block);
  std::copy(samples.begin(), samples.end(), input.begin());
  switch (configuration_.bands) {
    case 2:
      filter(kLow0, states, input, part(bands[0]));
      filter(kHigh0, states, input, part(bands[1]));
      return;
    case 3:
      filter(kLow0, states, input, low);
      filter(kHigh0, states, input, high);
      filter(kLow1, states, low, part(bands[0]));
      filter(kHigh1, states, low, input);
      std::transform(input.begin(), input.end(), bands[0].begin(), bands[0].begin(), std::plus<>());
      filter(kLow2, states, high, part(bands[1]));
      filter(kHigh2, states, high, part(bands[2]));
      return;
    default:
      filter(kLow1, states, input, low);
      filter(kHigh1, states, input, high);
      filter(kLow0, states, low, part(bands[0]));
      filter(kHigh0, states, low, part(bands[1]));
      filter(kLow2, states, high, part(bands[2]));
      filter(kHigh2, states, high, part(bands[3]));
      return;
  }
}

}  // namespace modmem::testbench
