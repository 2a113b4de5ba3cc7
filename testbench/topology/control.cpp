#include "testbench/topology/control.hpp"

#include <algorithm>
#include <type_traits>

namespace modmem::testbench {
namespace {

// SNDRV_CTL_TLVT_DB_SCALE of <sound/tlv.h>, a header that does not stand alone.
constexpr std::uint32_t kTlvDbScale = 1;

ControlOps to_ops(const snd_soc_tplg_io_ops& ops) {
  return {.get = ops.get, .put = ops.put, .info = ops.info};
}

std::optional<ControlTlv> to_tlv(const snd_soc_tplg_ctl_tlv& raw, const ByteReader& reader,
                                 std::size_t start) {
  constexpr std::size_t kHeader = sizeof(raw.size) + sizeof(raw.type);
  if (raw.size == 0) {
    return std::nullopt;
  }
  if (raw.size < kHeader || raw.size > sizeof(raw) || raw.size % sizeof(std::uint32_t) != 0) {
    reader.fail_at(start, "TLV data of an impossible size: " + std::to_string(raw.size));
  }
  ControlTlv tlv;
  tlv.type = raw.type;
  tlv.data.resize((raw.size - kHeader) / sizeof(std::uint32_t));
  for (std::size_t i = 0; i < tlv.data.size(); ++i) {
    tlv.data[i] = raw.data[i];
  }
  if (tlv.type == kTlvDbScale) {
    if (tlv.data.size() < 3) {
      reader.fail_at(start, "a dB scale that lacks min, step or mute");
    }
    tlv.db_scale = DbScale{.min = static_cast<std::int32_t>(tlv.data[0]),
                           .step = tlv.data[1],
                           .mute = tlv.data[2] != 0};
  }
  return tlv;
}

std::vector<ControlChannel> to_channels(const snd_soc_tplg_channel (&raw)[SND_SOC_TPLG_MAX_CHAN],
                                        std::uint32_t count, const ByteReader& reader,
                                        std::size_t start) {
  if (count > SND_SOC_TPLG_MAX_CHAN) {
    reader.fail_at(start, "a control of " + std::to_string(count) + " channels, at most " +
                              std::to_string(SND_SOC_TPLG_MAX_CHAN) + " fit");
  }
  std::vector<ControlChannel> channels;
  for (std::uint32_t i = 0; i < count; ++i) {
    channels.push_back({.reg = raw[i].reg, .shift = raw[i].shift, .id = raw[i].id});
  }
  return channels;
}

// What all kinds of control begin and end with.
template <typename Record>
Control to_control(const Record& record, ByteReader& reader, std::size_t start) {
  Control control;
  control.name = reader.text(record.hdr.name, start, "a control's name");
  const std::string what = "control '" + control.name + "'";
  reader.require_size(record.hdr.size, asoc::kRecordSize<snd_soc_tplg_ctl_hdr>, start,
                      what + ", its header");
  reader.require_size(record.size, asoc::kRecordSize<Record>, start, what);
  control.access = record.hdr.access;
  control.ops = to_ops(record.hdr.ops);
  control.tlv = to_tlv(record.hdr.tlv, reader, start);
  const auto data = reader.take(record.priv.size, what + ", its private data");
  control.private_data.assign(data.begin(), data.end());
  return control;
}

Control parse_mixer(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_mixer_control>("a mixer control");
  Control control = to_control(record, reader, start);
  MixerControl mixer;
  mixer.min = static_cast<std::int32_t>(record.min);
  mixer.max = static_cast<std::int32_t>(record.max);
  mixer.platform_max = static_cast<std::int32_t>(record.platform_max);
  mixer.invert = record.invert != 0;
  mixer.channels = to_channels(record.channel, record.num_channels, reader, start);
  if (mixer.min > mixer.max) {
    reader.fail_at(start, "control '" + control.name + "' has a minimum above its maximum");
  }
  control.detail = std::move(mixer);
  return control;
}

Control parse_enum(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_enum_control>("an enumeration control");
  Control control = to_control(record, reader, start);
  EnumControl enumeration;
  enumeration.mask = record.mask;
  enumeration.channels = to_channels(record.channel, record.num_channels, reader, start);
  if (record.items > SND_SOC_TPLG_NUM_TEXTS) {
    reader.fail_at(start, "control '" + control.name + "' has " + std::to_string(record.items) +
                              " items, at most " + std::to_string(SND_SOC_TPLG_NUM_TEXTS) + " fit");
  }
  for (std::uint32_t i = 0; i < record.items; ++i) {
    enumeration.texts.push_back(reader.text(record.texts[i], start, "an item's text"));
  }
  control.detail = std::move(enumeration);
  return control;
}

Control parse_bytes(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_bytes_control>("a bytes control");
  Control control = to_control(record, reader, start);
  control.detail = BytesControl{.max = record.max,
                                .mask = record.mask,
                                .base = record.base,
                                .registers = record.num_regs,
                                .ext_ops = to_ops(record.ext_ops)};
  return control;
}

}  // namespace

Control parse_control(ByteReader& reader) {
  // The kinds differ in what follows the common header: look at that first.
  const std::size_t start = reader.offset();
  ByteReader ahead = reader;
  const auto header = ahead.take_record<snd_soc_tplg_ctl_hdr>("a control");
  switch (header.ops.info) {
    case SND_SOC_TPLG_CTL_VOLSW:
    case SND_SOC_TPLG_CTL_VOLSW_SX:
    case SND_SOC_TPLG_CTL_VOLSW_XR_SX:
    case SND_SOC_TPLG_CTL_RANGE:
    case SND_SOC_TPLG_CTL_STROBE:
    case SND_SOC_TPLG_DAPM_CTL_VOLSW:
    case SND_SOC_TPLG_DAPM_CTL_PIN:
      return parse_mixer(reader);
    case SND_SOC_TPLG_CTL_ENUM:
    case SND_SOC_TPLG_CTL_ENUM_VALUE:
    case SND_SOC_TPLG_DAPM_CTL_ENUM_DOUBLE:
    case SND_SOC_TPLG_DAPM_CTL_ENUM_VIRT:
    case SND_SOC_TPLG_DAPM_CTL_ENUM_VALUE:
      return parse_enum(reader);
    case SND_SOC_TPLG_CTL_BYTES:
      return parse_bytes(reader);
    default:
      reader.fail_at(start, "a control of unknown kind " + std::to_string(header.ops.info));
  }
}

}  // namespace modmem::testbench
