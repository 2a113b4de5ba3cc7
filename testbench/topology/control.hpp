// The controls (kcontrols) of a topology: what a user may turn, and what they start with.
//
// Most controls belong to a widget; a topology may also hold controls of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "testbench/topology/byte_reader.hpp"

namespace modmem::testbench {

// The identifiers of the driver functions that read and write a control. SOF's are 256 volume,
// 257 enumeration, 258 bytes, 259 switch.
struct ControlOps {
  std::uint32_t get = 0;
  std::uint32_t put = 0;
  std::uint32_t info = 0;
};

// A mixer's dB scale: value v means min + v * step, in 0.01 dB; with mute, 0 means silence.
struct DbScale {
  std::int32_t min = 0;
  std::uint32_t step = 0;
  bool mute = false;
};

struct ControlTlv {
  std::uint32_t type = 0;           // SNDRV_CTL_TLVT_*
  std::vector<std::uint32_t> data;  // as many words as the TLV declares
  std::optional<DbScale> db_scale;  // where the type is SNDRV_CTL_TLVT_DB_SCALE
};

struct ControlChannel {
  std::uint32_t reg = 0;
  std::uint32_t shift = 0;
  std::uint32_t id = 0;  // SNDRV_CHMAP_*: 3 front left, 4 front right, ...
};

// A volume or a switch (a switch has max 1).
struct MixerControl {
  std::int32_t min = 0;
  std::int32_t max = 0;
  std::int32_t platform_max = 0;
  bool invert = false;
  std::vector<ControlChannel> channels;
};

struct EnumControl {
  std::vector<ControlChannel> channels;
  std::uint32_t mask = 0;
  std::vector<std::string> texts;  // one per item
};

// A blob of configuration for the module. The blob it starts with is the control's private data:
// SOF's begins with a header of its own ("SOF4", type, size, ABI, reserved: 32 bytes).
struct BytesControl {
  std::uint32_t max = 0;  // bytes that the control can hold
  std::uint32_t mask = 0;
  std::uint32_t base = 0;
  std::uint32_t registers = 0;
  ControlOps ext_ops;
};

struct Control {
  std::string name;
  std::uint32_t access = 0;  // SNDRV_CTL_ELEM_ACCESS_*
  ControlOps ops;
  std::optional<ControlTlv> tlv;
  std::variant<MixerControl, EnumControl, BytesControl> detail;
  std::vector<std::byte> private_data;
};

// Reads the next control, whatever its kind, which its `info` operation tells. Throws InputError
// where it is malformed.
Control parse_control(ByteReader& reader);

}  // namespace modmem::testbench
