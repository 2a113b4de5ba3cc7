// Writes topologies in which every module of the testbench runs with many formats and
// configurations, to make their footprints from: `modmem-module-topologies DIR` writes
// DIR/NAME.tplg.
//
// Each pipeline is a host copier, the module, and a DAI copier; a topology is of one module, or
// of a part of what it can do, so that it fits a platform.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/crossover.hpp"
#include "testbench/modules/dc_block.hpp"
#include "testbench/modules/drc.hpp"
#include "testbench/modules/eq_fir.hpp"
#include "testbench/modules/eq_iir.hpp"
#include "testbench/modules/kpb.hpp"
#include "testbench/modules/selector.hpp"
#include "testbench/modules/src.hpp"
#include "testbench/topology/topology_builder.hpp"

namespace modmem::testbench {
namespace {

// Widget types.
constexpr std::uint32_t kAifIn = 11;
constexpr std::uint32_t kAifOut = 12;
constexpr std::uint32_t kDaiIn = 13;
constexpr std::uint32_t kDaiOut = 14;
constexpr std::uint32_t kScheduler = 17;
constexpr std::uint32_t kEffect = 18;

struct Format {
  std::uint32_t rate = 48000;
  std::uint32_t channels = 2;
  std::uint32_t bits = 32;
};

struct Tested {
  Uuid uuid;
  Format in;
  Format out;
  std::vector<std::byte> blob{};     // without header
  Bytes tuples{};                    // its own
  std::size_t inputs = 1;            // host copiers before it
  std::size_t outputs = 1;           // DAI copiers behind it
  std::string name = "module";       // of its widget, in front of the pipeline's number
  bool capture = false;              // from a DAI to a host
  std::uint32_t deep_ms = 0;         // of the host copier
  std::uint32_t more_formats = 0;    // that copiers list besides
  std::uint32_t buffer_periods = 1;  // that ibs and obs are
};

Bytes uuid_bytes(const Uuid& uuid) {
  // As files have it: the first three fields with their low bytes first.
  constexpr std::array<std::size_t, 16> kOrder = {3, 2, 1,  0,  5,  4,  7,  6,
                                                  8, 9, 10, 11, 12, 13, 14, 15};
  Bytes bytes;
  bytes.u32(12 + 20).u32(0).u32(1).u32(405);
  for (const std::size_t at : kOrder) {
    bytes.bytes({uuid.bytes[at]});
  }
  return bytes;
}

Bytes with_periods(Bytes format, std::uint32_t periods, const Format& of) {
  // The first tuple of an input format and the second of an output format is ibs or obs: found by
  // its token.
  const std::uint32_t bytes = of.rate / 1000 * of.channels * of.bits / 8;
  for (std::size_t at = 12; at < format.size(); at += 8) {
    const auto token = std::to_integer<std::uint32_t>(format.data()[at]) |
                       std::to_integer<std::uint32_t>(format.data()[at + 1]) << 8;
    if (token == 1970 || token == 1971) {
      format.set_u32(at + 4, bytes * periods);
    }
  }
  return format;
}

// A module that takes and gives these formats; copiers list more of them.
Bytes module_widget(std::uint32_t type, const std::string& name, const Uuid& uuid, const Format& in,
                    const Format& out, const Tested& tested, const Bytes& tuples,
                    const std::vector<Bytes>& controls = {}) {
  Bytes all = tuples;
  const std::uint32_t more = type == kEffect ? 0 : tested.more_formats;
  all.append(number_tuples({{411, 8}, {412, 8}, {415, 1 + more}, {416, 1 + more}}));
  all.append(uuid_bytes(uuid));
  const std::uint32_t periods = type == kEffect ? 1 : tested.buffer_periods;
  all.append(with_periods(input_format(in.rate, in.bits, in.bits, in.channels), periods, in));
  all.append(with_periods(output_format(out.rate, out.bits, out.bits, out.channels), periods, out));
  for (std::uint32_t i = 0; i < more; ++i) {
    // Never the nearest: no file has such a rate.
    all.append(input_format(6000 + 1000 * i, 16, 16, 7));
    all.append(output_format(6000 + 1000 * i, 16, 16, 7));
  }
  return widget(type, name, "", all, controls);
}

Bytes blob_control(const std::vector<std::byte>& payload) {
  Bytes data;
  for (const std::byte byte : with_header(payload)) {
    data.bytes({std::to_integer<unsigned>(byte)});
  }
  return bytes_control("blob", 65536, data);
}

// A block of any number of elements.
Bytes block_of(std::uint32_t type, std::uint32_t index, const std::vector<Bytes>& elements) {
  Bytes bytes = block(type, index, {});
  Bytes payload;
  for (const Bytes& element : elements) {
    payload.append(element);
  }
  bytes.set_u32(24, payload.size32()).set_u32(32, static_cast<std::uint32_t>(elements.size()));
  return bytes.append(payload);
}

class TopologyWriter {
 public:
  explicit TopologyWriter(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
  }

  TopologyWriter& add(const Tested& tested) {
    const std::uint32_t id = ++pipelines_;
    const std::string number = "." + std::to_string(id) + ".";
    std::vector<Bytes> widgets{
        widget(kScheduler, "pipeline." + std::to_string(id), "", number_tuples({{201, 0}}))};
    std::vector<Bytes> routes;
    const std::string module = tested.name + number + "1";
    const auto add_end = [&](std::uint32_t type, const std::string& name, const Format& format) {
      Bytes tuples = number_tuples({{156, tested.capture ? 1U : 0U}});
      if (type == kAifIn && tested.deep_ms != 0) {
        tuples.append(number_tuples({{1981, tested.deep_ms}}));
      }
      widgets.push_back(module_widget(type, name, kCopierUuid, format, format, tested, tuples));
    };
    for (std::size_t i = 0; i < tested.inputs; ++i) {
      const std::string name = "in" + number + std::to_string(i);
      add_end(tested.capture ? kDaiOut : kAifIn, name, tested.in);
      routes.push_back(route(name, "", module));
    }
    for (std::size_t i = 0; i < tested.outputs; ++i) {
      const std::string name = "out" + number + std::to_string(i);
      add_end(tested.capture ? kAifOut : kDaiIn, name, tested.out);
      routes.push_back(route(module, "", name));
    }
    std::vector<Bytes> controls;
    if (!tested.blob.empty()) {
      controls.push_back(blob_control(tested.blob));
    }
    widgets.push_back(module_widget(kEffect, module, tested.uuid, tested.in, tested.out, tested,
                                    tested.tuples, controls));
    bytes_.append(block_of(kWidgetBlock, id, widgets));
    bytes_.append(block_of(kGraphBlock, id, routes));
    return *this;
  }

  // Writes what was added since the last time.
  void write(const std::string& name) {
    std::ofstream file(folder_ / (name + ".tplg"), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes_.data().data()),
               static_cast<std::streamsize>(bytes_.size()));
    if (!file.flush()) {
      std::perror((folder_ / name).c_str());
      std::exit(2);
    }
    bytes_ = Bytes();
    pipelines_ = 0;
  }

 private:
  std::filesystem::path folder_;
  Bytes bytes_;
  std::uint32_t pipelines_ = 0;
};

// --- configurations ---

std::vector<std::byte> iir_blob(std::int32_t channels, std::int32_t sections) {
  BlobBytes blob;
  blob.words({channels, 1}).zeros(16);
  blob.words(std::vector<std::int32_t>(static_cast<std::size_t>(channels), 0));
  blob.words({sections, sections}).zeros(16);
  for (std::int32_t i = 0; i < sections; ++i) {
    blob.words({0, 0, 0, 0, 1 << 30, 0, 1 << 14});
  }
  return blob.sized();
}

std::vector<std::byte> fir_blob(std::int16_t channels, std::int16_t taps) {
  BlobBytes blob;
  blob.put(channels).put(std::int16_t{1}).zeros(16);
  for (std::int16_t i = 0; i < channels; ++i) {
    blob.put(std::int16_t{0});
  }
  blob.put(taps).put(std::int16_t{0}).zeros(16);
  for (std::int16_t i = 0; i < taps; ++i) {
    blob.put(static_cast<std::int16_t>(i == 0 ? 16384 : 0));
  }
  return blob.sized();
}

std::vector<std::byte> drc_blob(bool enabled, std::int32_t look_ahead_ms) {
  return BlobBytes()
      .zeros(16)
      .words({enabled ? 1 : 0,
              -503316480,
              335544320,
              167772160,
              static_cast<std::int32_t>(look_ahead_ms * 1073741824LL / 1000),
              33954583,
              107374182,
              12228461,
              1969174,
              -2080223,
              5305499,
              137666446,
              81276097,
              7456540,
              -8947849,
              2064293,
              5,
              4423680,
              294359,
              2477727,
              622039,
              46513})
      .sized();
}

std::vector<std::byte> crossover_blob(std::int32_t bands) {
  BlobBytes blob;
  blob.words({bands}).zeros(16).words({0, 1, 2, 3});
  for (int i = 0; i < (bands == 2 ? 2 : 6); ++i) {
    blob.words({0, 0, 0, 0, 1 << 30, 0, 1 << 14});
  }
  return blob.sized();
}

std::vector<std::byte> dc_blob(std::size_t channels) {
  return BlobBytes().words(std::vector<std::int32_t>(channels, (1 << 30) - (1 << 22))).bytes();
}

std::vector<std::byte> selector_blob(std::size_t profiles) {
  BlobBytes blob;
  for (std::size_t i = 0; i < profiles; ++i) {
    blob.put(std::uint8_t{2}).put(static_cast<std::uint8_t>(i + 1)).zeros(2);
    blob.zeros(128);
  }
  return blob.bytes();
}

// --- topologies ---

// Channels and samples that all modules meet.
const std::vector<Format> kFormats = {
    {48000, 1, 16}, {48000, 2, 16}, {48000, 2, 32}, {48000, 4, 32}, {48000, 8, 32},
    {16000, 1, 16}, {16000, 2, 32}, {44100, 2, 16}, {44100, 2, 32}, {96000, 2, 32},
    {96000, 4, 32}, {8000, 1, 16},  {8000, 2, 16},  {192000, 2, 32}};

Format with_channels(Format format, std::uint32_t channels) {
  format.channels = channels;
  return format;
}

void write_copiers(TopologyWriter& writer) {
  for (const Format& format : kFormats) {
    writer.add({.uuid = kCopierUuid, .in = format, .out = format, .name = "copier"});
    writer.add({.uuid = kCopierUuid, .in = format, .out = format, .capture = true});
  }
  writer.add({.uuid = kCopierUuid,
              .in = kFormats[1],
              .out = kFormats[2],
              .blob = dc_blob(2),
              .inputs = 2,
              .outputs = 3,
              .name = "copier"});
  writer.write("copier");
  for (const std::uint32_t periods : {2U, 4U}) {
    for (const bool capture : {false, true}) {
      for (const Format& format : {kFormats[1], kFormats[4], kFormats[5], kFormats[7]}) {
        writer.add({.uuid = kCopierUuid,
                    .in = format,
                    .out = with_channels(format, 1),
                    .outputs = periods,
                    .capture = capture,
                    .more_formats = 7 * (periods - 1),
                    .buffer_periods = periods});
      }
    }
  }
  writer.write("copier-formats");
  for (const std::uint32_t ms : {4U, 20U, 100U}) {
    for (const Format& format : {kFormats[0], kFormats[1], kFormats[2], kFormats[5], kFormats[7]}) {
      writer.add({.uuid = kCopierUuid,
                  .in = format,
                  .out = with_channels(format, 2),
                  .deep_ms = ms,
                  .buffer_periods = ms == 20 ? 2U : 1U});
    }
  }
  for (const std::uint32_t ms : {1000U, 10000U}) {
    writer.add({.uuid = kCopierUuid, .in = {8000, 1, 16}, .out = {8000, 1, 16}, .deep_ms = ms});
  }
  writer.write("copier-deep");
}

void write_plain(TopologyWriter& writer, const Uuid& uuid, const std::string& name) {
  for (const Format& format : kFormats) {
    writer.add({.uuid = uuid, .in = format, .out = format, .name = name});
  }
  writer.add(
      {.uuid = uuid, .in = kFormats[2], .out = kFormats[2], .blob = dc_blob(2), .name = name});
  for (const std::size_t count : {2U, 3U}) {
    writer.add(
        {.uuid = uuid, .in = kFormats[1], .out = kFormats[3], .inputs = count, .name = name});
    writer.add(
        {.uuid = uuid, .in = kFormats[3], .out = kFormats[1], .outputs = count, .name = name});
  }
  writer.write(name);
}

void write_filters(TopologyWriter& writer) {
  for (const Format& format : {kFormats[0], kFormats[2], kFormats[3], kFormats[4], kFormats[6]}) {
    for (const int size : {1, 2, 4, 11}) {
      for (const int more : {0, 2}) {
        const auto channels = std::min(8, static_cast<std::int32_t>(format.channels) + more);
        writer.add({.uuid = kEqIirUuid,
                    .in = format,
                    .out = format,
                    .blob = iir_blob(channels, size),
                    .inputs = size == 1 ? 2U : 1U,
                    .outputs = size == 11 ? 2U : 1U,
                    .name = "eq-iir"});
      }
    }
    writer.add({.uuid = kEqIirUuid, .in = format, .out = format, .name = "eq-iir"});
  }
  writer.write("eq-iir");
  for (const Format& format : {kFormats[0], kFormats[2], kFormats[3], kFormats[4], kFormats[6]}) {
    for (const int size : {4, 8, 64, 192}) {
      for (const int more : {0, 2}) {
        const int even = static_cast<int>(format.channels + 1) / 2 * 2;
        const auto channels = static_cast<std::int16_t>(std::min(8, even + more));
        writer.add({.uuid = kEqFirUuid,
                    .in = format,
                    .out = format,
                    .blob = fir_blob(channels, static_cast<std::int16_t>(size)),
                    .inputs = size == 4 ? 2U : 1U,
                    .outputs = size == 192 ? 2U : 1U,
                    .name = "eq-fir"});
      }
    }
    writer.add({.uuid = kEqFirUuid, .in = format, .out = format, .name = "eq-fir"});
  }
  writer.write("eq-fir");
  for (const Format& format : kFormats) {
    writer.add({.uuid = kDcBlockUuid, .in = format, .out = format, .name = "dcblock"});
    for (const std::size_t channels : {1U, 2U, 8U}) {
      writer.add({.uuid = kDcBlockUuid,
                  .in = format,
                  .out = format,
                  .blob = dc_blob(channels),
                  .inputs = channels == 8 ? 2U : 1U,
                  .outputs = channels == 1 ? 2U : 1U,
                  .name = "dcblock"});
    }
  }
  writer.write("dcblock");
  for (const Format& format : kFormats) {
    writer.add({.uuid = kCrossoverUuid, .in = format, .out = format, .name = "crossover"});
    for (const int bands : {2, 3, 4}) {
      writer.add({.uuid = kCrossoverUuid,
                  .in = format,
                  .out = format,
                  .blob = crossover_blob(bands),
                  .outputs = format.rate == 48000 ? 2U : 1U,
                  .name = "crossover"});
    }
  }
  writer.write("crossover");
}

void write_drc(TopologyWriter& writer) {
  for (const std::uint32_t rate : {16000U, 44100U, 48000U, 96000U}) {
    for (const std::uint32_t channels : {1U, 2U, 4U, 8U}) {
      const Format format{rate, channels, 32};
      writer.add({.uuid = kDrcUuid, .in = format, .out = format, .name = "drc"});
      for (const int ms : {3, 6, 10}) {
        writer.add({.uuid = kDrcUuid,
                    .in = format,
                    .out = format,
                    .blob = drc_blob(channels != 8 || ms != 6, ms),
                    .inputs = ms == 3 ? 2U : 1U,
                    .outputs = ms == 10 ? 2U : 1U,
                    .name = "drc"});
      }
    }
    const Format format{rate, 2, 32};
    writer.add(
        {.uuid = kDrcUuid, .in = format, .out = format, .blob = drc_blob(false, 6), .name = "drc"});
    writer.write("drc-" + std::to_string(rate));
  }
}

void write_selectors(TopologyWriter& writer) {
  for (const std::size_t outputs : {1U, 2U, 3U}) {
    for (const char* name : {"a", "micsel", "microphones-of-the-array-in-the-lid"}) {
      for (std::size_t profiles = 0; profiles <= 8; ++profiles) {
        // Several profiles are for two channels, one is for any.
        const Format format = profiles > 1 ? kFormats[2] : kFormats[3 * outputs - 2];
        writer.add({.uuid = kSelectorUuid,
                    .in = format,
                    .out = format,
                    .blob = profiles == 0 ? std::vector<std::byte>() : selector_blob(profiles),
                    .inputs = profiles == 0 ? 2U : 1U,
                    .outputs = outputs,
                    .name = name});
      }
      writer.add({.uuid = kSelectorUuid,
                  .in = kFormats[2],
                  .out = kFormats[2],
                  .blob = BlobBytes().words({2, 2, 0}).bytes(),
                  .outputs = outputs,
                  .name = name});
    }
  }
  writer.write("micsel");
}

void write_converters(TopologyWriter& writer, const Uuid& uuid, const std::string& name) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (const std::uint32_t rate : {8000U, 11025U, 12000U, 16000U, 22050U, 24000U, 32000U, 44100U,
                                   48000U, 88200U, 96000U, 176400U, 192000U}) {
    pairs.emplace_back(rate, 48000);
    pairs.emplace_back(48000, rate);
  }
  for (const std::uint32_t rate : {8000U, 24000U, 32000U, 44100U, 96000U}) {
    pairs.emplace_back(rate, 16000);
    pairs.emplace_back(16000, rate);
  }
  for (const auto& [in, out] : pairs) {
    for (const std::uint32_t channels : {1U, 2U}) {
      writer.add({.uuid = uuid,
                  .in = {in, channels, 32},
                  .out = {out, channels, 16},
                  .tuples = number_tuples({{300, in}, {301, out}}),
                  .name = name});
    }
  }
  writer.write(name);
  for (const std::size_t outputs : {2U, 3U}) {
    for (const std::uint32_t channels : {2U, 4U, 8U}) {
      writer.add({.uuid = uuid,
                  .in = {44100, channels, 16},
                  .out = {48000, channels, 32},
                  .tuples = number_tuples({{300, 44100}, {301, 48000}}),
                  .outputs = outputs,
                  .name = name});
    }
  }
  writer.write(name + "-outputs");
}

void write_kpbs(TopologyWriter& writer) {
  for (const Format& format :
       {Format{16000, 1, 16}, Format{16000, 2, 16}, Format{16000, 2, 32}, Format{16000, 4, 32},
        Format{8000, 1, 16}, Format{48000, 2, 16}, Format{48000, 2, 32}, Format{32000, 1, 32}}) {
    writer.add({.uuid = kKpbUuid, .in = format, .out = format, .name = "kpb", .capture = true});
  }
  writer.add({.uuid = kKpbUuid,
              .in = kFormats[5],
              .out = kFormats[5],
              .blob = dc_blob(2),
              .outputs = 2,
              .name = "kpb",
              .capture = true});
  writer.write("kpb");
}

void write_all(const std::filesystem::path& folder) {
  TopologyWriter writer(folder);
  write_copiers(writer);
  write_plain(writer, kGainUuid, "gain");
  write_plain(writer, kMixinUuid, "mixin");
  write_plain(writer, kMixoutUuid, "mixout");
  write_filters(writer);
  write_drc(writer);
  write_selectors(writer);
  write_converters(writer, kSrcUuid, "src");
  write_converters(writer, kSrcLiteUuid, "src-lite");
  write_kpbs(writer);
}

}  // namespace
}  // namespace modmem::testbench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: modmem-module-topologies FOLDER\n", stderr);
    return 2;
  }
  modmem::testbench::write_all(argv[1]);
  return 0;
}
