#include "testbench/modules/eq_iir.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kMostSections = 11;  // of a response
constexpr std::size_t kReservedBytes = 16;

}  // namespace

bool EqIir::init(const Widget& widget, ModuleMemory& memory) {
  configuration_ = {};
  ConfigurationBlob blob(widget);
  return take_configuration(blob, configuration_, memory);
}

bool EqIir::take_configuration(ConfigurationBlob& blob, Configuration& configuration,
                               ModuleMemory& memory) {
  if (blob.empty()) {
    return true;
  }
  blob.take_size();
  const auto channels = blob.take<std::uint32_t>("the number of channels");
  const auto count = blob.take<std::uint32_t>("the number of responses");
  blob.skip(kReservedBytes, "the reserved bytes");
  configuration.map.take<std::int32_t>(blob, channels, count);
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

bool EqIir::take_response(ConfigurationBlob& blob, Response& response, ModuleMemory& memory) {
  const auto sections = blob.take<std::uint32_t>("the number of sections");
  const auto in_chain = blob.take<std::uint32_t>("the number of sections in a chain");
  blob.skip(kReservedBytes, "the reserved bytes");
  blob.require_range(sections, 1, kMostSections, "a number of sections");
  blob.require_range(in_chain, 1, sections, "a number of sections in a chain");
  if (sections % in_chain != 0) {
    blob.fail(std::to_string(sections) + " sections can't be divided into chains of " +
              std::to_string(in_chain));
  }
  response.in_chain = in_chain;
  response.sections = memory.make_array<Biquad>(sections);
  if (!response.sections) {
    return false;
  }
  for (Biquad& section : response.sections) {
    section = take_biquad(blob);
  }
  return true;
}

bool EqIir::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> /*outputs*/,
                    ModuleMemory& memory) {
  channels_ = inputs.empty() ? 0 : inputs.front().channels;
  return set_up(configuration_, channels_, filters_, memory);
}

bool EqIir::set_up(const Configuration& configuration, std::uint32_t channels, Filters& filters,
                   ModuleMemory& memory) {
  std::size_t sections = 0;
  for (std::uint32_t i = 0; i < channels; ++i) {
    const std::optional<std::size_t> response = configuration.map.of(i);
    sections += response ? configuration.responses[*response].sections.size() : 0;
  }
  if (sections == 0) {
    return true;
  }
  filters.channels = memory.make_array<Channel>(channels);
  filters.states = memory.make_array<BiquadState>(sections);
  if (!filters.channels || !filters.states) {
    return false;
  }
  BiquadState* states = filters.states.data();
  for (std::uint32_t i = 0; i < channels; ++i) {
    if (const std::optional<std::size_t> response = configuration.map.of(i)) {
      filters.channels[i] = {.response = &configuration.responses[*response], .states = states};
      states += filters.channels[i].sections();
    }
  }
  return true;
}

bool EqIir::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
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
    if (from.sections() == filters.channels[i].sections()) {
      std::copy_n(from.states, from.sections(), filters.channels[i].states);
    }
  }
  filters_ = std::move(filters);
  configuration_ = std::move(configuration);
  return true;
}

void EqIir::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
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

void EqIir::reset(ModuleMemory& /*memory*/) {
  filters_ = {};
  channels_ = 0;
}

void EqIir::filter(const Channel& channel, std::span<const std::int32_t> samples,
                   std::span<double> result) {
  if (channel.response == nullptr) {
    std::copy(samples.begin(), samples.end(), result.begin());
    return;
  }
  std::fill(result.begin(), result.end(), 0.0);
  const ModuleArray<Biquad>& sections = channel.response->sections;
  for (std::size_t first = 0; first < sections.size(); first += channel.response->in_chain) {
    BlockOfValues block;
    const std::span<double> chain(block.data(), samples.size());
    std::copy(samples.begin(), samples.end(), chain.begin());
    for (std::size_t i = first; i < first + channel.response->in_chain; ++i) {
      run(sections[i], channel.states[i], chain);
    }
    std::transform(chain.begin(), chain.end(), result.begin(), result.begin(), std::plus<>());
  }
}

}  // namespace modmem::testbench
