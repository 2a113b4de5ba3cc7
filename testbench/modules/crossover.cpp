#include "testbench/modules/crossover.hpp"

#include <algorithm>
#include <functional>
#include <string>

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
  bands_ = 0;
  sections_.reset();
  ConfigurationBlob blob(widget);
  if (blob.empty()) {
    return true;
  }
  blob.take_size();
  const auto bands = blob.take<std::uint32_t>("the number of bands");
  blob.require_range(bands, 2, kMostBands, "a number of bands");
  blob.skip(kReservedBytes, "the reserved bytes");
  for (std::uint32_t& pin : pins_) {
    pin = blob.take<std::uint32_t>("a band's pin");
  }
  for (std::size_t band = 0; band < bands; ++band) {
    blob.require_range(pins_[band], 0, kMaxPins - 1, "a band's pin");
    for (std::size_t other = 0; other < band; ++other) {
      if (pins_[other] == pins_[band]) {
        blob.fail("bands " + std::to_string(other) + " and " + std::to_string(band) +
                  " both go to pin " + std::to_string(pins_[band]));
      }
    }
  }
  sections_ = memory.make_array<Biquad>(sections_of(bands));
  if (!sections_) {
    return false;
  }
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    blob.set_context("section " + std::to_string(i));
    sections_[i] = take_biquad(blob);
  }
  bands_ = bands;
  return true;
}

bool Crossover::prepare(std::span<const StreamFormat> inputs,
                        std::span<const StreamFormat> /*outputs*/, ModuleMemory& memory) {
  if (bands_ == 0 || inputs.empty()) {
    return true;
  }
  states_ = memory.make_array<BiquadState>(kStatesPerSection * sections_.size() *
                                           inputs.front().channels);
  return static_cast<bool>(states_);
}

void Crossover::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!states_) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  const std::span<const std::uint32_t> pins(pins_.data(), bands_);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (std::find(pins.begin(), pins.end(), i) == pins.end()) {
      silence_frames(outputs[i].data, outputs[i].format, outputs[i].frames);
    } else {
      silence_unfed(in, outputs[i]);
    }
  }
  for_each_channel_block(
      in, [&](std::uint32_t channel, std::size_t first, std::span<const std::int32_t> samples) {
        Bands bands;
        split(&states_[kStatesPerSection * sections_.size() * channel], samples, bands);
        for (std::size_t band = 0; band < bands_; ++band) {
          if (pins_[band] < outputs.size()) {
            store_channel(outputs[pins_[band]], channel, in.format.channels, first,
                          {bands[band].data(), samples.size()});
          }
        }
      });
}

void Crossover::reset(ModuleMemory& /*memory*/) { states_.reset(); }

void Crossover::filter(std::size_t index, BiquadState* states, std::span<const double> values,
                       std::span<double> result) const {
  std::copy(values.begin(), values.end(), result.begin());
  for (std::size_t i = 0; i < kStatesPerSection; ++i) {
    run(sections_[index], states[kStatesPerSection * index + i], result);
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
  switch (bands_) {
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
