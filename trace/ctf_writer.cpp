#include "trace/ctf_writer.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <random>
#include <string>
#include <system_error>

#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

static_assert(std::endian::native == std::endian::little, "events are written as they lie");

CtfUuid random_uuid() {
  std::random_device device;
  CtfUuid uuid;
  for (std::uint8_t& byte : uuid) {
    byte = static_cast<std::uint8_t>(device());
  }
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);  // RFC 4122, version 4
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  throw TraceError(path.string() + ": " + std::generic_category().message(error));
}

}  // namespace

CtfWriter::CtfWriter(std::filesystem::path directory, Recorder& recorder,
                     const PlatformConfig& platform, const std::string& policy, bool converted)
    : directory_(std::move(directory)), recorder_(recorder), uuid_(random_uuid()) {
  const auto open = [](const std::filesystem::path& path) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) {
      fail(path, errno);
    }
    return std::unique_ptr<std::FILE, Closer>(file);
  };
  const std::string text = ctf_metadata(uuid_, platform, policy, converted);
  const std::filesystem::path path = directory_.path() / "metadata";
  const auto metadata = open(path);
  if (std::fwrite(text.data(), 1, text.size(), metadata.get()) != text.size() ||
      std::fflush(metadata.get()) != 0) {
    fail(path, errno);
  }
  for (std::uint32_t core = 0; core < platform.cores; ++core) {
    Stream stream;
    stream.file = open(directory_.path() / ("core-" + std::to_string(core)));
    streams_.push_back(std::move(stream));
  }
}

void CtfWriter::drain() {
  for (std::uint32_t core = 0; core < recorder_.cores(); ++core) {
    on_full(core);
  }
}

void CtfWriter::on_full(std::uint32_t core) {
  read_.resize(recorder_.ring(core).capacity());
  const std::uint32_t count = recorder_.ring(core).read(read_);
  Stream& stream = streams_[core];
  for (std::uint32_t at = 0; at < count;) {
    const EventKind kind = event::head_of(read_[at].low).kind;
    std::uint32_t slots = event::slots_of(kind);
    std::size_t text = 0;
    if (slots == 0) {
      text = 12 + std::strlen(reinterpret_cast<const char*>(&read_[at]) + 12) + 1;
      slots = static_cast<std::uint32_t>((text + sizeof(EventSlot) - 1) / sizeof(EventSlot));
    }
    const std::size_t bits =
        text != 0 ? text * 8 : (slots - 1) * sizeof(EventSlot) * 8 + event::bits_in_last_slot(kind);
    take(stream, core, &read_[at], slots, bits);
    at += slots;
  }
}

// One event of `count` slots, of which `bits` bits mean something: a packet ends with the last of
// them, as readers take what is behind for another event. It begins with an anchor, so that it
// means the same when those in front of it are lost.
void CtfWriter::take(Stream& stream, std::uint32_t core, const EventSlot* slots, std::size_t count,
                     std::size_t bits) {
  const event::Head head = event::head_of(slots[0].low);
  std::uint64_t time = 0;
  if (head.kind == EventKind::anchor) {
    const event::Anchor anchor = event::anchor_of(slots[0]);
    time = anchor.time;
    stream.number = anchor.number;
    if (time - stream.time >= event::kTimeSpan / 2 && !stream.slots.empty()) {
      write_packet(stream, core);
    }
  } else {
    constexpr std::uint64_t kMask = event::kTimeSpan - 1;
    time = stream.time + ((head.time - stream.time) & kMask);
    if (stream.slots.empty()) {
      stream.slots.push_back(event::pack(event::Anchor{stream.number, time}));
    }
    ++stream.number;
    ++events_;
  }
  stream.time = time;
  stream.content_bits = stream.slots.size() * sizeof(EventSlot) * 8 + bits;
  stream.slots.insert(stream.slots.end(), slots, slots + count);
  if (stream.slots.size() * sizeof(EventSlot) >= kPacketBytes) {
    write_packet(stream, core);
  }
}

void CtfWriter::write_packet(Stream& stream, std::uint32_t core) {
  CtfPacketHeader header;
  header.uuid = uuid_;
  header.begin = event::anchor_of(stream.slots[0]).time;
  header.end = stream.time;
  header.content_bits = kCtfPacketHeader * 8 + stream.content_bits;
  header.packet_bits = (kCtfPacketHeader + stream.slots.size() * sizeof(EventSlot)) * 8;
  header.discarded = recorder_.ring(core).lost();
  header.core = core;
  char bytes[kCtfPacketHeader] = {};
  std::memcpy(bytes, &header, sizeof header);
  const bool written = std::fwrite(bytes, sizeof bytes, 1, stream.file.get()) == 1 &&
                       std::fwrite(stream.slots.data(), sizeof(EventSlot), stream.slots.size(),
                                   stream.file.get()) == stream.slots.size();
  if (!written && error_ == 0) {
    error_ = errno;
  }
  stream.slots.clear();
}

void CtfWriter::finish() {
  drain();
  for (std::uint32_t core = 0; core < streams_.size(); ++core) {
    Stream& stream = streams_[core];
    if (!stream.slots.empty()) {
      write_packet(stream, core);
    }
    if (std::fflush(stream.file.get()) != 0 && error_ == 0) {
      error_ = errno;
    }
    stream.file.reset();
    // A core on which nothing happened has no stream.
    std::error_code error;
    const auto path = directory_.path() / ("core-" + std::to_string(core));
    if (std::filesystem::file_size(path, error) == 0) {
      std::filesystem::remove(path, error);
    }
  }
  if (error_ != 0) {
    fail(directory_.path(), error_);
  }
  directory_.keep();
}

}  // namespace modmem::trace
