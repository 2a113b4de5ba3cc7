#include "trace/ctf_metadata.hpp"

#include <iterator>
#include <string_view>
#include <utility>

#include "memory/failure.hpp"
#include "memory/policy.hpp"
#include "record/event.hpp"
#include "trace/platform_numbers.hpp"

namespace modmem::trace {

namespace {

// What is the same in every trace. Fields follow each other bit by bit, as record/event.hpp and
// Recorder lay them out; where a field begins at its word, it and so the event's fields are aligned
// to 32 bits.
constexpr std::string_view kTypes = R"(
clock {
  name = time;
  description = "Time since the start of the port's clock";
  freq = 1000000;
};

typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
typealias integer { size = 32; align = 32; signed = false; } := uint32_t;
typealias integer { size = 64; align = 32; signed = false; } := uint64_t;
typealias integer { size = 64; align = 32; signed = false; map = clock.time.value; } := stamp_t;
typealias integer { size = 1; align = 1; signed = false; } := u1;
typealias integer { size = 5; align = 1; signed = false; } := u5;
typealias integer { size = 8; align = 1; signed = false; } := u8;
typealias integer { size = 9; align = 1; signed = false; base = 16; } := x9;
typealias integer { size = 14; align = 1; signed = false; } := u14;
typealias integer { size = 16; align = 1; signed = false; } := u16;
typealias integer { size = 22; align = 1; signed = false; map = clock.time.value; } := time22;
typealias integer { size = 25; align = 1; signed = false; } := u25;
typealias integer { size = 28; align = 1; signed = false; } := u28;
typealias integer { size = 32; align = 1; signed = false; } := u32;
typealias integer { size = 32; align = 1; signed = false; base = 16; } := x32;
typealias integer { size = 48; align = 1; signed = false; } := u48;
typealias integer { size = 64; align = 1; signed = false; } := u64;
typealias integer { size = 16; align = 32; signed = false; } := word16;
typealias integer { size = 25; align = 32; signed = false; } := word25;
typealias integer { size = 32; align = 32; signed = false; } := word32;
typealias integer { size = 48; align = 32; signed = false; } := word48;
typealias integer { size = 64; align = 32; signed = false; } := word64;
)";

constexpr std::string_view kStream = R"(
stream {
  id = 0;
  packet.context := struct {
    stamp_t timestamp_begin;
    stamp_t timestamp_end;
    uint64_t content_size;
    uint64_t packet_size;
    uint64_t events_discarded;
    uint32_t cpu_id;
    uint32_t reserved;
  };
  event.header := struct {
    u5 id;
    time22 timestamp;
  } align(128);
};
)";

struct EventText {
  EventKind kind;
  std::string_view name;
  std::string_view fields;
};

constexpr std::string_view kBlock = "u25 place; u28 bytes; x9 intent; memory2 memory; ";
constexpr std::string_view kOwner =
    "owner_kind kind; u16 owner; u16 parent; x32 id; u8 core; heap_kind heap; u1 grows; "
    "u1 contiguous; u14 created; u64 limit; u64 guarantee; u64 heap_bytes; u32 frame_limit; "
    "u32 retained_pages; u32 retained_us; u16 accounts; u16 heaps; ";

// BLOCK and OWNER stand for the fields above.
constexpr EventText kEvents[] = {
    {EventKind::anchor, "anchor", "word48 first; u48 time; "},
    {EventKind::allocate, "allocate", "align5 alignment; u16 owner; u16 site; BLOCK"},
    {EventKind::free, "free", "word16 owner; word25 place; u28 bytes; x9 intent; memory2 memory; "},
    {EventKind::resize, "resize",
     "align5 alignment; u16 owner; u16 site; BLOCK"
     "u25 old_place; u28 old_bytes; x9 old_intent; memory2 old_memory; "},
    {EventKind::range, "range",
     "align5 alignment; u16 owner; u16 site; BLOCKu32 least; u32 preferred; u32 step; "},
    {EventKind::fail, "fail",
     "align5 alignment; u16 owner; u16 site; u64 bytes; u64 largest; x32 flags; fail_reason "
     "reason; "},
    {EventKind::owner_begin, "owner_begin", "OWNER"},
    {EventKind::owner_limit, "owner_limit", "u5 in_frames; u32 owner; u64 limit; "},
    {EventKind::owner_end, "owner_end", "owner_how how; u16 owner; "},
    {EventKind::upkeep, "upkeep", "upkeep_what what; u16 owner; u16 flag; u32 first; u32 second; "},
    {EventKind::map, "map", "memory5 memory; u16 page; u16 frame; "},
    {EventKind::unmap, "unmap", "memory5 memory; u16 page; "},
    {EventKind::bank, "bank", "memory5 memory; u16 bank; u16 on; "},
    {EventKind::pipeline, "pipeline", "word32 pipeline; word32 state; "},
    {EventKind::period, "period", "word64 number; "},
    {EventKind::owner_name, "owner_name", "word16 owner; word32 id; string name; "},
    {EventKind::site_name, "site_name", "word16 site; word32 line; string name; "},
    {EventKind::plan_entry, "plan_entry", "OWNER"},
    {EventKind::plan_need, "plan_need",
     "align5 alignment; u32 apart; u64 bytes; u64 largest; u32 blocks; x32 flags; "},
    {EventKind::plan_end, "plan_end", "u5 admitted; "},
    {EventKind::bundle, "bundle", "word32 slots; word64 bytes; "},
};
static_assert(std::size(kEvents) == kEventKinds);

void append_events(std::string& text) {
  for (const EventText& event : kEvents) {
    std::string fields(event.fields);
    for (const auto& [word, meaning] : {std::pair(std::string_view("BLOCK"), kBlock),
                                        std::pair(std::string_view("OWNER"), kOwner)}) {
      if (const std::size_t at = fields.find(word); at != std::string::npos) {
        fields.replace(at, word.size(), meaning);
      }
    }
    text += "\nevent {\n  name = \"" + std::string(event.name) +
            "\";\n  id = " + std::to_string(static_cast<unsigned>(event.kind)) +
            ";\n  stream_id = 0;\n  fields := struct { " + fields + "};\n};\n";
  }
}

// An enumeration of `bits` bits.
template <typename Name>
void append_enum(std::string& text, std::string_view name, unsigned bits, unsigned count,
                 Name name_of) {
  text += "typealias enum : integer { size = " + std::to_string(bits) +
          "; align = 1; signed = false; } { ";
  for (unsigned value = 0; value < count; ++value) {
    text += (value == 0 ? "\"" : ", \"") + std::string(name_of(value)) +
            "\" = " + std::to_string(value);
  }
  text += " } := " + std::string(name) + ";\n";
}

void append_enums(std::string& text) {
  constexpr const char* kMemories[] = {"sram", "lp-sram", "l3"};
  constexpr const char* kUpkeep[] = {"compact",     "trim",       "drain",       "return_unused",
                                     "release_all", "premap",     "pin",         "unpin",
                                     "get_region",  "put_region", "set_interim", "save_l3",
                                     "restore_l3",  "probe",      "shutdown",    "sample"};
  constexpr const char* kEnds[] = {"destroyed", "destroyed_empty", "released"};
  static_assert(std::size(kUpkeep) == static_cast<std::size_t>(Upkeep::sample) + 1);
  append_enum(text, "memory2", 2, 3, [&](unsigned value) { return kMemories[value]; });
  append_enum(text, "memory5", 5, 3, [&](unsigned value) { return kMemories[value]; });
  append_enum(text, "upkeep_what", 5, std::size(kUpkeep),
              [&](unsigned value) { return kUpkeep[value]; });
  append_enum(text, "owner_how", 5, 3, [&](unsigned value) { return kEnds[value]; });
  append_enum(text, "owner_kind", 5, static_cast<unsigned>(OwnerKind::slots) + 1,
              [](unsigned value) { return to_string(static_cast<OwnerKind>(value)); });
  append_enum(text, "heap_kind", 8, static_cast<unsigned>(HeapKind::region) + 1,
              [](unsigned value) { return to_string(static_cast<HeapKind>(value)); });
  append_enum(text, "fail_reason", 32, static_cast<unsigned>(FailureReason::injected) + 1,
              [](unsigned value) { return to_string(static_cast<FailureReason>(value)); });
  append_enum(text, "align5", 5, 32, [](unsigned value) {
    return value == 0 ? std::string("natural")
                      : std::to_string(event::alignment_of(static_cast<std::uint8_t>(value)));
  });
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      result += '\\';
    }
    result += static_cast<unsigned char>(character) < ' ' ? '?' : character;
  }
  return result + "\"";
}

std::string uuid_text(const CtfUuid& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    text += i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
    text += "0123456789abcdef"[uuid[i] >> 4];
    text += "0123456789abcdef"[uuid[i] & 15U];
  }
  return text;
}

void append_environment(std::string& text, const PlatformConfig& platform,
                        const std::string& policy, bool converted) {
  text += "\nenv {\n  tracer_name = \"modmem\";\n  platform = " + quoted(platform.name) +
          ";\n  policy = " + quoted(policy) + ";\n";
  text += converted ? "  converted_from = \"csv\";\n" : "";
  for (const PlatformNumber& number : kPlatformNumbers) {
    text += "  " + std::string(number.name) + " = " + std::to_string(number.get(platform)) + ";\n";
  }
  text += "};\n";
}

}  // namespace

std::string ctf_metadata(const CtfUuid& uuid, const PlatformConfig& platform,
                         const std::string& policy, bool converted) {
  std::string text = "/* CTF 1.8 */\n";
  text += kTypes;
  append_enums(text);
  text += "\ntrace {\n  major = 1;\n  minor = 8;\n  uuid = \"" + uuid_text(uuid) +
          "\";\n  byte_order = le;\n  packet.header := struct {\n    uint32_t magic;\n"
          "    uint8_t uuid[16];\n    uint32_t stream_id;\n  };\n};\n";
  append_environment(text, platform, policy, converted);
  text += kStream;
  append_events(text);
  return text;
}

}  // namespace modmem::trace
