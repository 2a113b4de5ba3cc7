#include "testbench/modules/eq_fir.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

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
  configuration_ = {};
  ConfigurationBlob blob(widget);
  return take_configuration(blob, configuration_, memory);
}

bool EqFir::take_configuration(ConfigurationBlob& blob, Configuration& configuration,
                               ModuleMemory& memory) {
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
  configuration.map.take<std::int16_t>(blob, channels, count);
  if (count == 0) {
    return true;
  }
  configuration.responses = memory.make_array<Response>(count);
  if (!configuration.responses) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    blob.set_context("response " + std::to_string(i));
    if (!take_response(blob, configuration.responses[i], memory)) {
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
  channels_ = inputs.empty() ? 0 : inputs.front().channels;
  return set_up(configuration_, channels_, filters_, memory);
}

bool EqFir::set_up(const Configuration& configuration, std::uint32_t channels, Filters& filters,
                   ModuleMemory& memory) {
  std::size_t samples = 0;
  for (std::uint32_t i = 0; i < channels; ++i) {
    const std::optional<std::size_t> response = configuration.map.of(i);
    samples += response ? configuration.responses[*response].history() : 0;
  }
  if (samples == 0) {
    return true;
  }
  filters.channels = memory.make_array<Channel>(channels);
  filters.histories =
      memory.make_array<std::int32_t>(samples, flag::kUser | flag::kLargeBuffer, MODMEM_HERE);
  if (!filters.channels || !filters.histories) {
    return false;
  }
  std::int32_t* history = filters.histories.data();
  for (std::uint32_t i = 0; i < channels; ++i) {
    if (const std::optional<std::size_t> response = configuration.map.of(i)) {
      filters.channels[i] = {.response = &configuration.responses[*response], .history = history};
      history += filters.channels[i].length();
    }
  }
  return true;
}

bool EqFir::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ConfigurationBlob blob(payload);
  Configuration configuration;
  Filters filters;
  if (!take_configuration(blob, configuration, memory) ||
      !set_up(configuration, channels_, filters, memory)) {
    return false;
  }
  const std::size_t kept = std::min(filters.channels.size(), filters_.channels.size());
  for (std::size_t i = 0; i < kept; ++i) {
    const Channel& from = filters_.channels[i];
    const Channel& to = filters.channels[i];
    const std::size_t samples = std::min(from.length(), to.length());
    std::copy_n(from.history + (from.length() - samples), samples,
                to.history + (to.length() - samples));
  }
  filters_ = std::move(filters);
  configuration_ = std::move(configuration);
  return true;
}

void EqFir::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!filters_.channels) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  filter_channels(
      in, outputs,
      [this](std::uint32_t channel, std::span<const std::int32_t> samples,
             std::span<double> result) { filter(filters_.channels[channel], samples, result); });
}

void EqFir::reset(ModuleMemory& /*memory*/) {
  filters_ = {};
  channels_ = 0;
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
