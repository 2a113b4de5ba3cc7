// <sound/asoc.h> for C++: the structures of a compiled topology, and how many bytes of a file each
// of them describes.
//
// The header compiles as C++, but its sizes do not carry over: the flexible arrays inside
// snd_soc_tplg_private stand beside empty structs, which occupy a byte in C++ and none in C, so
// sizeof() of every structure that ends in private data is one too large in some versions of the
// header. kRecordSize is the size in the file, private data excluded: use it, never sizeof().
//
// Files are little-endian, and so is every host that this is built for: fields are read as they
// are.
#pragma once

#include <sound/asoc.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace modmem::testbench {

static_assert(std::endian::native == std::endian::little,
              "topology fields are read without byte swapping");

namespace asoc {

// Whether Record ends in private data: a size, followed by that many bytes.
template <typename Record>
concept WithPrivateData = requires(Record record) {
  record.priv.size;
};

// Bytes of a Record in a file, up to and including the size of its private data if it has any.
template <typename Record>
inline constexpr std::size_t kRecordSize = sizeof(Record);
template <WithPrivateData Record>
inline constexpr std::size_t kRecordSize<Record> = offsetof(Record, priv) + sizeof(std::uint32_t);

// The layout of ABI 5: what the kernel's C code sees.
static_assert(kRecordSize<snd_soc_tplg_hdr> == 36);
static_assert(kRecordSize<snd_soc_tplg_manifest> == 112);
static_assert(kRecordSize<snd_soc_tplg_ctl_hdr> == 204);
static_assert(kRecordSize<snd_soc_tplg_mixer_control> == 360);
static_assert(kRecordSize<snd_soc_tplg_enum_control> == 1764);
static_assert(kRecordSize<snd_soc_tplg_bytes_control> == 240);
static_assert(kRecordSize<snd_soc_tplg_dapm_graph_elem> == 132);
static_assert(kRecordSize<snd_soc_tplg_dapm_widget> == 132);
static_assert(kRecordSize<snd_soc_tplg_stream_caps> == 104);
static_assert(kRecordSize<snd_soc_tplg_pcm> == 912);
static_assert(kRecordSize<snd_soc_tplg_link_config> == 1656);
static_assert(kRecordSize<snd_soc_tplg_vendor_array> == 12);
static_assert(kRecordSize<snd_soc_tplg_vendor_uuid_elem> == 20);
static_assert(kRecordSize<snd_soc_tplg_vendor_value_elem> == 8);
static_assert(kRecordSize<snd_soc_tplg_vendor_string_elem> == 48);

}  // namespace asoc
}  // namespace modmem::testbench
