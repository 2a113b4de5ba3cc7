#include "trace/ctf_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "record/event.hpp"
#include "trace/ctf_metadata.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

using Bytes = std::vector<char>;

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw TraceError(path.string() + ": " + std::generic_category().message(errno));
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    throw TraceError(path.string() + ": " + std::generic_category().message(errno));
  }
}

CtfPacketHeader header_at(const Bytes& bytes, std::size_t at) {
  CtfPacketHeader header;
  std::memcpy(&header, bytes.data() + at, sizeof header);
  return header;
}

// Why there is no packet at that byte; nullptr where there is.
const char* packet_problem(const Bytes& bytes, std::size_t at) {
  if (bytes.size() - at < kCtfPacketHeader) {
    return "the header of a packet is cut off";
  }
  const CtfPacketHeader header = header_at(bytes, at);
  const bool whole = header.magic == CtfPacketHeader::kMagic && header.stream == 0 &&
                     header.begin <= header.end && header.content_bits <= header.packet_bits &&
                     header.content_bits >= kCtfPacketHeader * 8 &&
                     header.packet_bits % (8 * sizeof(EventSlot)) == 0;
  return whole ? nullptr : "this is no header of a packet";
}

// Bits of the event at `at` that mean something; 0 where there is none that ends before `end`.
std::size_t event_bits(const Bytes& bytes, std::size_t at, std::size_t end) {
  std::uint32_t word = 0;  // its kind is in the first one
  if (end - at < sizeof word) {
    return 0;
  }
  std::memcpy(&word, bytes.data() + at, sizeof word);
  const EventKind kind = event::head_of(word).kind;
  if (static_cast<std::uint32_t>(kind) >= kEventKinds) {
    return 0;
  }
  if (const std::size_t slots = event::slots_of(kind)) {
    const std::size_t bits = (slots - 1) * sizeof(EventSlot) * 8 + event::bits_in_last_slot(kind);
    return bits / 8 <= end - at ? bits : 0;
  }
  constexpr std::size_t kText = 12;
  if (end - at <= kText) {
    return 0;
  }
  const void* stop = std::memchr(bytes.data() + at + kText, 0, end - at - kText);
  return stop == nullptr
             ? 0
             : (static_cast<std::size_t>(static_cast<const char*>(stop) - bytes.data()) + 1 - at) *
                   8;
}

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + sizeof(EventSlot) - 1) / sizeof(EventSlot) * sizeof(EventSlot);
}

struct Events {
  std::size_t content_end = 0;  // of the last whole event
  std::size_t bad = 0;          // where the next one should be; 0: there is no next
};

// The events in [begin, end) of a packet.
Events whole_events(const Bytes& bytes, std::size_t begin, std::size_t end) {
  Events events{begin, 0};
  for (std::size_t at = begin; at < end;) {
    const std::size_t bits = event_bits(bytes, at, end);
    if (bits == 0) {
      events.bad = at;
      break;
    }
    events.content_end = at + bits / 8;
    at += padded(bits / 8);
  }
  return events;
}

// The next byte at which a packet's magic number lies, from `at` on; the end where there is none.
std::size_t next_packet(const Bytes& bytes, std::size_t at) {
  const std::uint32_t magic = CtfPacketHeader::kMagic;
  char text[sizeof magic];
  std::memcpy(text, &magic, sizeof magic);
  const auto found = std::search(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(),
                                 std::begin(text), std::end(text));
  return static_cast<std::size_t>(found - bytes.begin());
}

// The stream without what is damaged; nothing where it is whole.
std::optional<Bytes> mended(const Bytes& bytes, const std::string& name,
                            std::vector<std::string>& problems) {
  Bytes whole;
  bool damaged = false;
  const auto report = [&](std::size_t at, const std::string& reason) {
    damaged = true;
    problems.push_back(name + ": at byte " + std::to_string(at) + ": " + reason);
  };
  std::uint64_t time = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const char* problem = packet_problem(bytes, at);
    if (problem == nullptr && header_at(bytes, at).begin < time) {
      problem = "this packet begins before the one in front of it ends";
    }
    if (problem != nullptr) {
      report(at, problem);
      at = next_packet(bytes, at + 1);
      continue;
    }
    CtfPacketHeader header = header_at(bytes, at);
    const std::uint64_t size = header.packet_bits / 8;
    const std::uint64_t content = header.content_bits / 8;
    const std::size_t there = std::min<std::uint64_t>(bytes.size() - at, content);
    const Events events = whole_events(bytes, at + kCtfPacketHeader, at + there);
    // Where no more than padding is missing, all events are there, and babeltrace refuses it as
    // well.
    const bool cut = size > bytes.size() - at;
    if (events.bad != 0) {
      report(events.bad, cut ? "the packet is cut off here" : "this is no event");
    } else if (cut) {
      report(bytes.size(), "the packet is cut off here");
    }
    if (events.bad != 0 || cut) {
      header.content_bits = (events.content_end - at) * 8;
      header.packet_bits = padded(events.content_end - at) * 8;
    }
    // A packet without events is none.
    if (events.content_end == at + kCtfPacketHeader) {
      damaged = true;
      at = cut ? bytes.size() : at + size;
      continue;
    }
    const std::size_t begin = whole.size();
    whole.resize(begin + header.packet_bits / 8);
    std::memcpy(whole.data() + begin, bytes.data() + at, header.content_bits / 8);
    std::memcpy(whole.data() + begin, &header, sizeof header);
    time = header.end;
    // What is in a packet may look like a header, so its own size counts where it may be right.
    at = cut ? bytes.size() : at + size;
  }
  return damaged ? std::optional<Bytes>(std::move(whole)) : std::nullopt;
}

}  // namespace

CtfFiles::CtfFiles(const std::filesystem::path& directory) : path_(directory) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(directory / "metadata", error)) {
    throw TraceError(directory.string() + ": is no trace: it has no file metadata");
  }
  const Bytes metadata = read_file(directory / "metadata");
  const std::string text(metadata.begin(), metadata.end());
  if (text.find("tracer_name = \"modmem\"") == std::string::npos) {
    throw TraceError(directory.string() + ": metadata is not that of a modmem trace, or cut off");
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("core-")) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    throw TraceError(directory.string() + ": has no stream core-0, core-1, ...");
  }
  bool has_events = false;
  for (const std::filesystem::path& file : files) {
    has_events = mend(file) || has_events;
  }
  if (!has_events) {
    clear();
    throw TraceError(problems_.empty() ? directory.string() + ": has no events"
                                       : problems_[0] + "; nothing else can be read");
  }
  if (!copy_.empty()) {
    path_ = copy_;
    std::filesystem::copy_file(directory / "metadata", copy_ / "metadata");
    for (const std::filesystem::path& file : files) {
      if (!std::filesystem::exists(copy_ / file.filename())) {
        std::filesystem::copy_file(file, copy_ / file.filename());
      }
      if (std::filesystem::file_size(copy_ / file.filename()) == 0) {
        std::filesystem::remove(copy_ / file.filename());
      }
    }
  }
}

CtfFiles::~CtfFiles() { clear(); }

void CtfFiles::clear() {
  if (!copy_.empty()) {
    std::error_code error;
    std::filesystem::remove_all(copy_, error);
  }
}

// Returns whether the stream has events.
bool CtfFiles::mend(const std::filesystem::path& file) {
  const Bytes bytes = read_file(file);
  bytes_ += bytes.size();
  const std::optional<Bytes> whole = mended(bytes, file.string(), problems_);
  if (!whole) {
    return !bytes.empty();
  }
  if (copy_.empty()) {
    std::string name = (std::filesystem::temp_directory_path() / "modmem-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw TraceError(name + ": " + std::generic_category().message(errno));
    }
    copy_ = name;
  }
  write_file(copy_ / file.filename(), *whole);
  return !whole->empty();
}

}  // namespace modmem::trace
