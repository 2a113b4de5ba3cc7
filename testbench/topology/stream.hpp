// What a topology offers to the host and expects from the hardware: PCMs and backend links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "testbench/topology/byte_reader.hpp"

namespace modmem::testbench {

// What an application may ask of one direction of a PCM. Zero rates mean that `rates` alone says.
struct StreamCaps {
  std::string name;           // of the stream; the host copier has it as its stream name
  std::uint64_t formats = 0;  // a mask of SNDRV_PCM_FMTBIT_*: bit 2 S16_LE, 6 S24_LE, 10 S32_LE
  std::uint32_t rates = 0;    // a mask of SNDRV_PCM_RATE_*: bit 7 is 48 kHz
  std::uint32_t rate_min = 0;
  std::uint32_t rate_max = 0;
  std::uint32_t channels_min = 0;
  std::uint32_t channels_max = 0;
  std::uint32_t periods_min = 0;
  std::uint32_t periods_max = 0;
  std::uint32_t period_bytes_min = 0;
  std::uint32_t period_bytes_max = 0;
  std::uint32_t buffer_bytes_min = 0;
  std::uint32_t buffer_bytes_max = 0;
  std::uint32_t significant_bits = 0;
};

struct Pcm {
  std::uint32_t id = 0;
  std::string name;
  std::string dai_name;
  std::uint32_t dai_id = 0;
  bool compressed = false;
  std::optional<StreamCaps> playback;  // present where the PCM has the direction
  std::optional<StreamCaps> capture;
  // The host copiers, into Topology::widgets: the aif_in (playback) or aif_out (capture) widget
  // whose stream name is that of the caps. Empty where no widget has that name.
  std::optional<std::size_t> playback_widget;
  std::optional<std::size_t> capture_widget;
  std::uint32_t flags = 0;
};

// A hardware configuration of a link.
struct HardwareConfig {
  std::uint32_t id = 0;
  std::uint32_t format = 0;  // SND_SOC_DAI_FORMAT_*
  std::uint32_t mclk_rate = 0;
  std::uint32_t bclk_rate = 0;
  std::uint32_t fsync_rate = 0;
  std::uint32_t tdm_slots = 0;
  std::uint32_t tdm_slot_width = 0;
  std::uint32_t tx_slots = 0;
  std::uint32_t rx_slots = 0;
};

struct BackendLink {
  std::uint32_t id = 0;
  std::string name;  // DAI copiers have it as their stream name
  std::string stream_name;
  std::vector<HardwareConfig> hardware_configs;
  std::uint32_t default_hardware_config = 0;
  std::vector<std::size_t> widgets;  // its DAI copiers, both directions, into Topology::widgets
};

// Read the next PCM or link. The associations with widgets stay empty. Throw InputError where it is
// malformed.
Pcm parse_pcm(ByteReader& reader);
BackendLink parse_backend_link(ByteReader& reader);

}  // namespace modmem::testbench
