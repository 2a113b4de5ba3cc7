#include "testbench/topology/stream.hpp"

namespace modmem::testbench {
namespace {

StreamCaps to_caps(const snd_soc_tplg_stream_caps& raw, const ByteReader& reader, std::size_t start,
                   const std::string& what) {
  reader.require_size(raw.size, asoc::kRecordSize<snd_soc_tplg_stream_caps>, start,
                      what + ", its stream capabilities");
  StreamCaps caps{.name = reader.text(raw.name, start, what + ", its stream's name"),
                  .formats = raw.formats,
                  .rates = raw.rates,
                  .rate_min = raw.rate_min,
                  .rate_max = raw.rate_max,
                  .channels_min = raw.channels_min,
                  .channels_max = raw.channels_max,
                  .periods_min = raw.periods_min,
                  .periods_max = raw.periods_max,
                  .period_bytes_min = raw.period_size_min,
                  .period_bytes_max = raw.period_size_max,
                  .buffer_bytes_min = raw.buffer_size_min,
                  .buffer_bytes_max = raw.buffer_size_max,
                  .significant_bits = raw.sig_bits};
  if (caps.rate_min > caps.rate_max) {
    reader.fail_at(start, what + " has a minimum rate above its maximum");
  }
  if (caps.channels_min > caps.channels_max) {
    reader.fail_at(start, what + " has a minimum channel count above its maximum");
  }
  return caps;
}

HardwareConfig to_hardware_config(const snd_soc_tplg_hw_config& raw, const ByteReader& reader,
                                  std::size_t start, const std::string& what) {
  reader.require_size(raw.size, sizeof(raw), start, what + ", its hardware configuration");
  return {.id = raw.id,
          .format = raw.fmt,
          .mclk_rate = raw.mclk_rate,
          .bclk_rate = raw.bclk_rate,
          .fsync_rate = raw.fsync_rate,
          .tdm_slots = raw.tdm_slots,
          .tdm_slot_width = raw.tdm_slot_width,
          .tx_slots = raw.tx_slots,
          .rx_slots = raw.rx_slots};
}

void require_count(std::uint32_t count, std::uint32_t limit, const ByteReader& reader,
                   std::size_t start, const std::string& what) {
  if (count > limit) {
    reader.fail_at(start, what + ": there are " + std::to_string(count) + ", at most " +
                              std::to_string(limit) + " fit");
  }
}

}  // namespace

Pcm parse_pcm(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_pcm>("a PCM");
  Pcm pcm;
  pcm.name = reader.text(record.pcm_name, start, "a PCM's name");
  const std::string what = "PCM '" + pcm.name + "'";
  reader.require_size(record.size, asoc::kRecordSize<snd_soc_tplg_pcm>, start, what);
  require_count(record.num_streams, SND_SOC_TPLG_STREAM_CONFIG_MAX, reader, start,
                what + ", its stream configurations");
  pcm.dai_name = reader.text(record.dai_name, start, what + ", its DAI's name");
  pcm.id = record.pcm_id;
  pcm.dai_id = record.dai_id;
  pcm.compressed = record.compress != 0;
  pcm.flags = record.flags;
  if (record.playback != 0) {
    pcm.playback = to_caps(record.caps[SND_SOC_TPLG_STREAM_PLAYBACK], reader, start, what);
  }
  if (record.capture != 0) {
    pcm.capture = to_caps(record.caps[SND_SOC_TPLG_STREAM_CAPTURE], reader, start, what);
  }
  reader.take(record.priv.size, what + ", its private data");
  return pcm;
}

BackendLink parse_backend_link(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_link_config>("a link");
  BackendLink link;
  link.name = reader.text(record.name, start, "a link's name");
  const std::string what = "link '" + link.name + "'";
  reader.require_size(record.size, asoc::kRecordSize<snd_soc_tplg_link_config>, start, what);
  link.stream_name = reader.text(record.stream_name, start, what + ", its stream's name");
  link.id = record.id;
  link.default_hardware_config = record.default_hw_config_id;
  require_count(record.num_streams, SND_SOC_TPLG_STREAM_CONFIG_MAX, reader, start,
                what + ", its stream configurations");
  require_count(record.num_hw_configs, SND_SOC_TPLG_HW_CONFIG_MAX, reader, start,
                what + ", its hardware configurations");
  for (std::uint32_t i = 0; i < record.num_hw_configs; ++i) {
    link.hardware_configs.push_back(to_hardware_config(record.hw_config[i], reader, start, what));
  }
  reader.take(record.priv.size, what + ", its private data");
  return link;
}

}  // namespace modmem::testbench
