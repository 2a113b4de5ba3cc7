#include "testbench/modules/selector.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "testbench/audio/convert.hpp"
#include "testbench/audio/sample.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/configuration_blob.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kPlainBytes = 12;
constexpr std::size_t kProfileBytes =
    4 + sizeof(std::int16_t) * Selector::kMostChannels * Selector::kMostChannels;
constexpr std::size_t kMostProfiles = 8;
constexpr std::int16_t kOne = 1 << Selector::kFraction;

bool suits(std::uint32_t wanted, std::uint32_t channels) {
  return wanted == 0 || wanted == channels;
}

const Selector::Profile* find(const ModuleArray<Selector::Profile>& profiles,
                              std::uint32_t channels_in, std::uint32_t channels_out) {
  const auto* found =
      std::find_if(profiles.begin(), profiles.end(), [&](const Selector::Profile& profile) {
        return suits(profile.channels_in, channels_in) && suits(profile.channels_out, channels_out);
      });
  return found == profiles.end() ? nullptr : found;
}

template <typename In, typename Out>
void mix(const InputView& in, const OutputView& out, std::size_t frames,
         const Selector::Profile& profile) {
  const std::size_t in_step = in.format.frame_bytes();
  const std::size_t out_step = out.format.frame_bytes();
  for (std::uint32_t to = 0; to < out.format.channels; ++to) {
    const auto& weights = profile.weights[to];
    for (std::size_t i = 0; i < frames; ++i) {
      const std::byte* frame = in.data + i * in_step;
      std::int64_t sum = 0;
      for (std::uint32_t from = 0; from < in.format.channels; ++from) {
        sum += std::int64_t{In::load(frame + from * In::kBytes)} * weights[from];
      }
      Out::template store<Selector::kFraction>(out.data + i * out_step + to * Out::kBytes, sum);
    }
  }
}

}  // namespace

bool Selector::init(const Widget& widget, ModuleMemory& memory) {
  name_ = memory.make_array<char>(widget.name.size() + 1);
  if (!name_) {
    return false;
  }
  std::copy(widget.name.begin(), widget.name.end(), name_.begin());
  ConfigurationBlob blob(widget);
  return take_profiles(blob, profiles_, memory);
}

bool Selector::take_profiles(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                             ModuleMemory& memory) {
  if (blob.empty()) {
    return true;
  }
  if (blob.size() == kPlainBytes) {
    return read_plain(blob, profiles, memory);
  }
  if (blob.size() % kProfileBytes != 0 || blob.size() > kMostProfiles * kProfileBytes) {
    blob.fail("a selector's configuration of " + std::to_string(blob.size()) + " bytes: it has " +
              std::to_string(kPlainBytes) + ", or " + std::to_string(kProfileBytes) +
              " for each of 1 to " + std::to_string(kMostProfiles) + " profiles");
  }
  return read_profiles(blob, profiles, memory);
}

bool Selector::read_profiles(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                             ModuleMemory& memory) {
  profiles = memory.make_array<Profile>(blob.size() / kProfileBytes);
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    Profile& profile = profiles[i];
    blob.set_context("profile " + std::to_string(i));
    profile.channels_in = blob.take<std::uint8_t>("channels in");
    profile.channels_out = blob.take<std::uint8_t>("channels out");
    blob.skip(2, "channel configurations");
    for (auto& row : profile.weights) {
      for (std::int16_t& weight : row) {
        weight = blob.take<std::int16_t>("a weight");
      }
    }
    if (profiles.size() == 1) {
      profile.channels_in = profile.channels_out = 0;
    } else {
      blob.require_range(profile.channels_in, 1, kMostChannels, "a number of channels in");
      blob.require_range(profile.channels_out, 1, kMostChannels, "a number of channels out");
    }
  }
  return static_cast<bool>(profiles);
}

// Becomes two profiles: for one channel out, and for more.
bool Selector::read_plain(ConfigurationBlob& blob, ModuleArray<Profile>& profiles,
                          ModuleMemory& memory) {
  const auto channels_in = blob.take<std::uint32_t>("channels in");
  const auto channels_out = blob.take<std::uint32_t>("channels out");
  const auto selected = blob.take<std::uint32_t>("the channel to select");
  blob.require_range(channels_in, 0, kMostChannels, "a number of channels in");
  blob.require_range(channels_out, 0, kMostChannels, "a number of channels out");
  const std::uint32_t channels = channels_in == 0 ? kMostChannels : channels_in;
  blob.require_range(selected, 0, channels - 1, "a channel to select");
  if (channels_in != 0 && channels_out > 1 && channels_in != channels_out) {
    blob.fail("it passes " + std::to_string(channels_in) + " channels on to " +
              std::to_string(channels_out));
  }
  profiles = memory.make_array<Profile>(2);
  if (!profiles) {
    return false;
  }
  Profile& one = profiles[0];
  one.channels_in = channels_in;
  one.channels_out = 1;
  one.weights[0][selected] = kOne;
  Profile& more = profiles[1];
  more.channels_in = channels_in;
  more.channels_out = channels_out;
  for (std::size_t i = 0; i < kMostChannels; ++i) {
    more.weights[i][i] = kOne;
  }
  return true;
}

// The profile for an output of so many channels, none where there are no profiles at all.
const Selector::Profile* Selector::choose(const ModuleArray<Profile>& profiles,
                                          std::uint32_t channels_out) const {
  if (!profiles) {
    return nullptr;
  }
  const Profile* found = nullptr;
  if (channels_in_ <= kMostChannels && channels_out <= kMostChannels) {
    found = find(profiles, channels_in_, channels_out);
    if (found == nullptr && channels_in_ == channels_out) {
      found = find(profiles, kMostChannels, kMostChannels);
    }
  }
  if (found == nullptr) {
    throw InputError("widget '" + std::string(name_.data()) + "': its configuration is not for " +
                     std::to_string(channels_in_) + " channels in and " +
                     std::to_string(channels_out) + " out");
  }
  return found;
}

bool Selector::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                       ModuleMemory& memory) {
  if (inputs.empty() || outputs.empty()) {
    return true;
  }
  channels_in_ = inputs.front().channels;
  choices_ = memory.make_array<Choice>(outputs.size());
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    choices_[i] = {choose(profiles_, outputs[i].channels), outputs[i].channels};
  }
  return static_cast<bool>(choices_);
}

bool Selector::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ConfigurationBlob blob(payload);
  ModuleArray<Profile> profiles;
  if (!take_profiles(blob, profiles, memory)) {
    return false;
  }
  for (const Choice& choice : choices_) {
    choose(profiles, choice.channels);  // throws before anything has changed
  }
  profiles_ = std::move(profiles);
  for (Choice& choice : choices_) {
    choice.profile = choose(profiles_, choice.channels);
  }
  return true;
}

void Selector::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const OutputView& out = outputs[i];
    if (i >= choices_.size() || choices_[i].profile == nullptr) {
      transfer(in, out);
      continue;
    }
    const std::size_t frames = std::min(in.frames, out.frames);
    with_sample(in.format.sample, [&](auto in_sample) {
      with_sample(out.format.sample, [&](auto out_sample) {
        mix<decltype(in_sample), decltype(out_sample)>(in, out, frames, *choices_[i].profile);
      });
    });
    silence_frames(out.data + frames * out.format.frame_bytes(), out.format, out.frames - frames);
  }
}

void Selector::reset(ModuleMemory& /*memory*/) { choices_.reset(); }

}  // namespace modmem::testbench
