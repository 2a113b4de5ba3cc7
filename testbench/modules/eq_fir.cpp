#include "testbench/modules/eq_fir.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kMostTaps = 256;
constexpr std::int32_t kFewestTaps = 4;
constexpr std::int32_t kTapsMultiple = 4;
constexpr int kTapBits = 15;
// Firmware shifts a 64-bit sum by 15 and this.
constexpr int kLowestShift = -15;
constexpr int kHighestShift = 31;
constexpr std::size_t kReservedBytes = 16;

}  // namespace

bool EqFir::init(const Widget& widget, ModuleMemory& memory) {
  map_ = {};
  responses_.reset();
  ConfigurationBlob blob(widget);
  if (blob.empty()) {
    return true;
  }
  blob.take_size();
  const auto channels = blob.take<std::uint16_t>("the number of channels");
  const auto count = blob.take<std::uint16_t>("the number of responses");
  blob.skip(kReservedBytes, "the reserved bytes");
  if (channels % 2 != 0) {
    blob.fail(std::to_string(channels) + " channels: only even numbers are possible");
  }
  map_.take<std::int16_t>(blob, channels, count);
  if (count == 0) {
    return true;
  }
  responses_ = memory.make_array<Response>(count);
  if (!responses_) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    blob.set_context("response " + std::to_string(i));
    if (!take_response(blob, responses_[i], memory)) {
      return false;
    }
  }
  return true;
}

bool EqFir::take_response(ConfigurationBlob& blob, Response& response, ModuleMemory& memory) {
  const auto taps = blob.take<std::int16_t>("the number of taps");
  response.shift = blob.take<std::int16_t>("the output shift");
  blob.skip(kReservedBytes, "the reserved bytes");
  blob.require_range(taps, kFewestTaps, kMostTaps, "a number of taps");
  blob.require_range(response.shift, kLowestShift, kHighestShift, "an output shift");
  if (taps % kTapsMultiple != 0) {
    blob.fail(std::to_string(taps) + " taps: only multiples of " + std::to_string(kTapsMultiple) +
              " are possible");
  }
  response.taps = memory.make_array<std::int16_t>(static_cast<std::size_t>(taps));
  if (!response.taps) {
    return false;
  }
  for (std::int16_t& tap : response.taps) {
    tap = blob.take<std::int16_t>("a tap");
  }
  return true;
}

bool EqFir::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> /*outputs*/,
                    ModuleMemory& memory) {
  const std::uint32_t channels = inputs.empty() ? 0 : inputs.front().channels;
  std::size_t samples = 0;
  for (std::uint32_t i = 0; i < channels; ++i) {
    const std::optional<std::size_t> response = map_.of(i);
    samples += response ? responses_[*response].history() : 0;
  }
  if (samples == 0) {
    return true;
  }
  channels_ = memory.make_array<Channel>(channels);
  histories_ =
      memory.make_array<std::int32_t>(samples, flag::kUser | flag::kLargeBuffer, MODMEM_HERE);
  if (!channels_ || !histories_) {
    return false;
  }
  std::int32_t* history = histories_.data();
  for (std::uint32_t i = 0; i < channels; ++i) {
    if (const std::optional<std::size_t> response = map_.of(i)) {
      channels_[i] = {.response = &responses_[*response], .history = history};
      history += channels_[i].response->history();
    }
  }
  return true;
}

void EqFir::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!channels_) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  filter_channels(
      in, outputs,
      [this](std::uint32_t channel, std::span<const std::int32_t> samples,
             std::span<double> result) { filter(channels_[channel], samples, result); });
}

void EqFir::reset(ModuleMemory& /*memory*/) {
  histories_.reset();
  channels_.reset();
}

void EqFir::filter(const Channel& channel, std::span<const std::int32_t> samples,
                   std::span<double> result) {
  if (channel.response == nullptr) {
    std::copy(samples.begin(), samples.end(), result.begin());
    return;
  }
  const Response& response = *channel.response;
  const std::size_t history = response.history();
  // The samples behind their history, so that no tap has to look round a corner.
  std::array<std::int32_t, kMostTaps - 1 + kBlockFrames> line;
  std::copy_n(channel.history, history, line.begin());
  std::copy(samples.begin(), samples.end(), line.begin() + static_cast<std::ptrdiff_t>(history));
  const double scale = std::ldexp(1.0, -kTapBits - response.shift);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int32_t* newest = &line[history + i];
    std::int64_t sum = 0;
    for (std::size_t tap = 0; tap <= history; ++tap) {
      sum += std::int64_t{response.taps[tap]} * newest[-static_cast<std::ptrdiff_t>(tap)];
    }
    result[i] = static_cast<double>(sum) * scale;
  }
  std::copy_n(line.begin() + static_cast<std::ptrdiff_t>(samples.size()), history, channel.history);
}

}  // namespace modmem::testbench
