#include "testbench/topology/topology.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "testbench/input_error.hpp"
#include "testbench/topology/byte_reader.hpp"
#include "testbench/topology/topology_links.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kVendorTypes = SND_SOC_TPLG_TYPE_VENDOR_FW;

snd_soc_tplg_hdr parse_block_header(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto header = reader.take_record<snd_soc_tplg_hdr>("a block header");
  if (header.magic == __builtin_bswap32(SND_SOC_TPLG_MAGIC)) {
    reader.fail_at(start, "a block of a big-endian topology, which is not supported");
  }
  if (header.magic != SND_SOC_TPLG_MAGIC) {
    reader.fail_at(start, "no block of a compiled topology: it begins with " + hex(header.magic) +
                              ", expected " + hex(SND_SOC_TPLG_MAGIC));
  }
  if (header.abi != SND_SOC_TPLG_ABI_VERSION) {
    reader.fail_at(start, "a block of topology ABI " + std::to_string(header.abi) + ", only ABI " +
                              std::to_string(SND_SOC_TPLG_ABI_VERSION) + " is supported");
  }
  reader.require_size(header.size, asoc::kRecordSize<snd_soc_tplg_hdr>, start, "a block header");
  return header;
}

// Calls parse(payload) for each of the `count` elements of a block of Records, which must fill the
// block.
template <typename Record, typename Parse>
void for_each_element(ByteReader& payload, std::uint32_t count, std::string_view what,
                      Parse parse) {
  if (count > payload.remaining() / asoc::kRecordSize<Record>) {
    payload.fail("a block of " + std::to_string(payload.remaining()) + " bytes cannot hold " +
                 std::to_string(count) + " " + std::string(what));
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    parse(payload);
  }
  payload.require_end("the last of " + std::to_string(count) + " " + std::string(what));
}

Manifest parse_manifest(ByteReader& reader) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_manifest>("a manifest");
  reader.require_size(record.size, asoc::kRecordSize<snd_soc_tplg_manifest>, start, "a manifest");
  const auto data = reader.take(record.priv.size, "the manifest's private data");
  return {.controls = record.control_elems,
          .widgets = record.widget_elems,
          .routes = record.graph_elems,
          .pcms = record.pcm_elems,
          .links = record.dai_link_elems,
          .dais = record.dai_elems,
          .private_data = {data.begin(), data.end()}};
}

Route parse_route(ByteReader& reader, std::uint32_t group) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_dapm_graph_elem>("a route");
  return {.source_name = reader.text(record.source, start, "a route's source"),
          .control = reader.text(record.control, start, "a route's control"),
          .sink_name = reader.text(record.sink, start, "a route's sink"),
          .group = group,
          .source = std::nullopt,
          .sink = std::nullopt};
}

// Reads one block into `topology`; adds the number of physical DAIs in it to `dais`.
void parse_block(Topology& topology, const snd_soc_tplg_hdr& header, ByteReader& payload,
                 std::uint32_t& dais) {
  switch (header.type) {
    case SND_SOC_TPLG_TYPE_MANIFEST:
      if (topology.manifest) {
        payload.fail("a second manifest");
      }
      for_each_element<snd_soc_tplg_manifest>(payload, 1, "manifest", [&](ByteReader& reader) {
        topology.manifest = parse_manifest(reader);
      });
      break;
    case SND_SOC_TPLG_TYPE_MIXER:
    case SND_SOC_TPLG_TYPE_BYTES:
    case SND_SOC_TPLG_TYPE_ENUM:
      for_each_element<snd_soc_tplg_ctl_hdr>(
          payload, header.count, "controls",
          [&](ByteReader& reader) { topology.controls.push_back(parse_control(reader)); });
      break;
    case SND_SOC_TPLG_TYPE_DAPM_WIDGET:
      for_each_element<snd_soc_tplg_dapm_widget>(
          payload, header.count, "widgets", [&](ByteReader& reader) {
            topology.widgets.push_back(parse_widget(reader, header.index));
          });
      break;
    case SND_SOC_TPLG_TYPE_DAPM_GRAPH:
      for_each_element<snd_soc_tplg_dapm_graph_elem>(
          payload, header.count, "routes", [&](ByteReader& reader) {
            topology.routes.push_back(parse_route(reader, header.index));
          });
      break;
    case SND_SOC_TPLG_TYPE_PCM:
      for_each_element<snd_soc_tplg_pcm>(payload, header.count, "PCMs", [&](ByteReader& reader) {
        topology.pcms.push_back(parse_pcm(reader));
      });
      break;
    case SND_SOC_TPLG_TYPE_DAI_LINK:
    case SND_SOC_TPLG_TYPE_CODEC_LINK:
    case SND_SOC_TPLG_TYPE_BACKEND_LINK:
      for_each_element<snd_soc_tplg_link_config>(
          payload, header.count, "links",
          [&](ByteReader& reader) { topology.links.push_back(parse_backend_link(reader)); });
      break;
    case SND_SOC_TPLG_TYPE_DAI:
      dais += header.count;
      ++topology.skipped_blocks;
      break;
    case SND_SOC_TPLG_TYPE_PDATA:
      ++topology.skipped_blocks;
      break;
    default:
      if (header.type < kVendorTypes) {
        payload.fail("a block of unknown type " + std::to_string(header.type));
      }
      ++topology.skipped_blocks;
      break;
  }
}

// A file that was cut between two blocks shows in nothing but its manifest. Of controls a file may
// hold more than promised: compilers count one that several widgets share once.
void check_manifest(const Topology& topology, std::uint32_t dais) {
  if (!topology.manifest) {
    return;
  }
  const auto check = [&](std::size_t promised, std::size_t found, std::string_view what) {
    if (promised == found) {
      return;
    }
    throw InputError(topology.name + ": the manifest promises " + std::to_string(promised) + " " +
                     std::string(what) + ", the file holds " + std::to_string(found));
  };
  std::size_t controls = topology.controls.size();
  for (const Widget& widget : topology.widgets) {
    controls += widget.controls.size();
  }
  check(topology.manifest->controls, std::min<std::size_t>(controls, topology.manifest->controls),
        "controls");
  check(topology.manifest->widgets, topology.widgets.size(), "widgets");
  check(topology.manifest->routes, topology.routes.size(), "routes");
  check(topology.manifest->pcms, topology.pcms.size(), "PCMs");
  check(topology.manifest->links, topology.links.size(), "links");
  check(topology.manifest->dais, dais, "DAIs");
}

}  // namespace

Topology parse_topology(std::span<const std::byte> bytes, std::string_view name) {
  Topology topology;
  topology.name = name;
  if (bytes.empty()) {
    throw InputError(topology.name + ": the file is empty");
  }
  ByteReader reader(bytes, name);
  std::uint32_t dais = 0;
  for (std::size_t block = 0; !reader.at_end(); ++block) {
    reader.set_context("block " + std::to_string(block));
    const snd_soc_tplg_hdr header = parse_block_header(reader);
    if (block == 0) {
      topology.abi = header.abi;
      topology.vendor_version = header.version;
    }
    ByteReader payload = reader.take_reader(header.payload_size, "a block's payload");
    parse_block(topology, header, payload, dais);
  }
  check_manifest(topology, dais);
  link_topology(topology);
  return topology;
}

Topology load_topology(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw InputError(name + ": there is no such file");
  }
  if (std::filesystem::is_directory(status)) {
    throw InputError(name + ": is a directory, not a topology file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw InputError(name + ": the file cannot be opened");
  }
  // One byte more than is allowed tells a file that is too long, without trusting its size.
  std::vector<std::byte> bytes(kMaxTopologyBytes + 1);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) {
    throw InputError(name + ": the file cannot be read");
  }
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() > kMaxTopologyBytes) {
    throw InputError(name + ": the file is longer than " + std::to_string(kMaxTopologyBytes) +
                     " bytes, too long for a topology");
  }
  return parse_topology(bytes, name);
}

const Widget* find_widget(const Topology& topology, std::string_view name) {
  for (const Widget& widget : topology.widgets) {
    if (widget.name == name) {
      return &widget;
    }
  }
  return nullptr;
}

const Pipeline* find_pipeline(const Topology& topology, std::uint32_t id) {
  for (const Pipeline& pipeline : topology.pipelines) {
    if (pipeline.id == id) {
      return &pipeline;
    }
  }
  return nullptr;
}

}  // namespace modmem::testbench
