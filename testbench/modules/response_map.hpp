// ResponseMap: which of an equaliser's responses each channel gets.
//
// A blob names a response for each of its channels, or none (a negative number): such a channel
// passes. A stream may have more channels than the blob; those get what the blob's last one gets.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "testbench/modules/configuration_blob.hpp"

namespace modmem::testbench {

class ResponseMap {
 public:
  // What SOF's blobs can hold.
  static constexpr std::uint32_t kMostChannels = 8;
  static constexpr std::uint32_t kMostResponses = 8;

  // Reads the assignments of `channels` channels, each an Integer, to `responses` responses. Throws
  // InputError where there are none or too many of either, or an assignment names a response that
  // there is not.
  template <typename Integer>
  void take(ConfigurationBlob& blob, std::uint32_t channels, std::uint32_t responses) {
    blob.require_range(channels, 1, kMostChannels, "a number of channels");
    blob.require_range(responses, 0, kMostResponses, "a number of responses");
    channels_ = channels;
    for (std::uint32_t i = 0; i < channels; ++i) {
      const auto response = blob.take<Integer>("a response's assignment");
      if (response >= 0 && static_cast<std::uint32_t>(response) >= responses) {
        blob.fail("channel " + std::to_string(i) + " is assigned response " +
                  std::to_string(response) + " of " + std::to_string(responses));
      }
      assigned_[i] = response;
    }
  }

  // The response of `channel`, nothing where it passes: all do before take().
  std::optional<std::size_t> of(std::uint32_t channel) const {
    const std::int32_t response = channels_ == 0 ? -1 : assigned_[std::min(channel, channels_ - 1)];
    return response < 0 ? std::nullopt : std::optional<std::size_t>(response);
  }

 private:
  std::uint32_t channels_ = 0;
  std::array<std::int32_t, kMostChannels> assigned_{};
};

}  // namespace modmem::testbench
