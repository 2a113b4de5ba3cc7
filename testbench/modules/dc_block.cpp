#include "testbench/modules/dc_block.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/configuration_blob.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr int kPoleBits = 30;

}  // namespace

bool DcBlock::init(const Widget& widget, ModuleMemory& memory) {
  poles_.reset();
  ConfigurationBlob blob(widget);
  return take_poles(blob, poles_, memory);
}

bool DcBlock::take_poles(ConfigurationBlob& blob, ModuleArray<double>& poles,
                         ModuleMemory& memory) {
  if (blob.empty()) {
    return true;
  }
  const std::size_t count = blob.size() / sizeof(std::int32_t);
  if (blob.size() % sizeof(std::int32_t) != 0 || count > kMaxChannels) {
    blob.fail("a blob of " + std::to_string(blob.size()) + " bytes: 4 a channel, for at most " +
              std::to_string(kMaxChannels) + " channels, are possible");
  }
  poles = memory.make_array<double>(count);
  if (!poles) {
    return false;
  }
  for (double& pole : poles) {
    const auto q30 = blob.take<std::int32_t>("a coefficient");
    blob.require_range(q30, 0, std::int64_t{1} << kPoleBits, "a coefficient (Q2.30)");
    pole = std::ldexp(q30, -kPoleBits);
  }
  return true;
}

bool DcBlock::prepare(std::span<const StreamFormat> inputs,
                      std::span<const StreamFormat> /*outputs*/, ModuleMemory& memory) {
  channels_ = inputs.empty() ? 0 : inputs.front().channels;
  if (!poles_ || channels_ == 0) {
    return true;
  }
  states_ = memory.make_array<BiquadState>(channels_);
  return static_cast<bool>(states_);
}

bool DcBlock::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ConfigurationBlob blob(payload);
  ModuleArray<double> poles;
  if (!take_poles(blob, poles, memory)) {
    return false;
  }
  if (!poles) {
    states_.reset();
  } else if (!states_ && channels_ != 0) {
    states_ = memory.make_array<BiquadState>(channels_);
    if (!states_) {
      return false;
    }
  }
  poles_ = std::move(poles);
  return true;
}

void DcBlock::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!states_) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  filter_channels(in, outputs,
                  [this](std::uint32_t channel, std::span<const std::int32_t> samples,
                         std::span<double> result) {
                    std::copy(samples.begin(), samples.end(), result.begin());
                    const double pole = poles_[std::min<std::size_t>(channel, poles_.size() - 1)];
                    run({.b0 = 1, .b1 = -1, .b2 = 0, .a1 = pole, .a2 = 0}, states_[channel],
                        result);
                  });
}

void DcBlock::reset(ModuleMemory& /*memory*/) {
  states_.reset();
  channels_ = 0;
}

}  // namespace modmem::testbench
