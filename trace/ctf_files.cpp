#include "trace/ctf_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "trace/ctf_packet.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw TraceError(path.string() + ": " + std::generic_category().message(errno));
}

// The number of a file core-N; nothing where it is another one.
std::optional<std::uint32_t> core_of(const std::filesystem::path& file) {
  constexpr std::string_view kPrefix = "core-";
  const std::string name = file.filename().string();
  std::uint32_t core = 0;
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, core);
  return error == std::errc() && stop == end ? std::optional(core) : std::nullopt;
}

// The bytes of a file, a part at a time.
class Bytes {
 public:
  explicit Bytes(const std::filesystem::path& path) : path_(path), file_(path, std::ios::binary) {
    std::error_code error;
    size_ = std::filesystem::file_size(path, error);
    if (!file_ || error) {
      fail(path);
    }
  }

  std::uint64_t size() const { return size_; }

  // As many as `wanted` from `at` on, or as there are.
  std::span<const char> read(std::uint64_t at, std::uint64_t wanted) {
    part_.resize(std::min(wanted, size_ - at));
    file_.seekg(static_cast<std::streamoff>(at));
    if (!file_.read(part_.data(), static_cast<std::streamsize>(part_.size()))) {
      fail(path_);
    }
    return part_;
  }

 private:
  std::filesystem::path path_;
  std::ifstream file_;
  std::uint64_t size_ = 0;
  std::vector<char> part_;
};

// The next byte at which a packet's magic number lies, from `at` on; the end where there is none.
std::uint64_t next_packet(Bytes& bytes, std::uint64_t at) {
  constexpr std::size_t kPart = std::size_t{1} << 16;
  const std::uint32_t magic = CtfPacketHeader::kMagic;
  char text[sizeof magic];
  std::memcpy(text, &magic, sizeof magic);
  while (at < bytes.size()) {
    const std::span<const char> part = bytes.read(at, kPart);
    const auto found = std::search(part.begin(), part.end(), std::begin(text), std::end(text));
    if (found != part.end()) {
      return at + static_cast<std::size_t>(found - part.begin());
    }
    // One may begin in this part and end in the next.
    at += part.size() < kPart ? part.size() : part.size() - (sizeof text - 1);
  }
  return bytes.size();
}

// What is whole of a packet, with the header that it should have.
struct Packet {
  std::uint64_t at = 0;
  CtfPacketHeader header;
};

struct Packets {
  std::vector<Packet> whole;
  std::vector<std::string> problems;
};

// The packets of a stream, as far as they are whole. Problems are called `name`'s.
Packets packets_of(Bytes& bytes, const CtfStream& stream, const std::string& name) {
  Packets packets;
  std::size_t more = 0;
  const auto report = [&](std::uint64_t at, const char* reason) {
    if (packets.problems.size() == CtfFiles::kMostProblems) {
      ++more;
    } else {
      packets.problems.push_back(name + ": at byte " + std::to_string(at) + ": " + reason);
    }
  };
  std::uint64_t time = 0;
  for (std::uint64_t at = 0; at < bytes.size();) {
    std::span<const char> part = bytes.read(at, kCtfPacketHeader);
    CtfPacketHeader header;
    std::memcpy(&header, part.data(), std::min(part.size(), sizeof header));
    const char* const problem = part.size() < kCtfPacketHeader ? "the header of a packet is cut off"
                                                               : header_problem(header, stream);
    if (problem != nullptr) {
      report(at, problem);
      at = next_packet(bytes, at + 1);
      continue;
    }
    // One without sizes goes on to the next, or to what is no event.
    const bool sized = has_sizes(header);
    if (!sized) {
      report(at, "the sizes of this packet do not hold");
      header.packet_bits = header.content_bits = (next_packet(bytes, at + 1) - at) * 8;
    }
    const std::uint64_t size = header.packet_bits / 8;
    // Where no more than padding is missing, all events are there, and babeltrace refuses it.
    const bool cut = size > bytes.size() - at;
    part = bytes.read(at, std::min<std::uint64_t>(header.content_bits / 8, kMostPacketBytes));
    const PacketEvents events = whole_events(header, part);
    const bool complete = sized && !cut && events.bad == 0 && events.end == part.size();
    header.content_bits = events.end * 8;
    header.packet_bits = padded(events.end) * 8;
    // A packet without events is none.
    const bool is_none = events.end == kCtfPacketHeader;
    if (!is_none && events.first_time < time) {
      report(at, "this packet begins before the one in front of it ends");
    } else if (!is_none) {
      if (header.begin != events.first_time || (complete && header.end != events.last_time)) {
        report(at, "the times of this packet are not those of its events");
      }
      time = events.last_time;
      header.begin = events.first_time;
      header.end = events.last_time;
      packets.whole.push_back({at, header});
    }
    if (sized && !complete) {
      report(events.bad != 0 ? at + events.bad : at + events.end,
             cut ? "the packet is cut off here" : "this is no event");
    }
    // What is in a packet may look like a header, so its own size counts where it may be right.
    at = cut ? bytes.size() : at + size;
  }
  if (more != 0) {
    packets.problems.push_back(name + ": and at " + std::to_string(more) + " more places");
  }
  return packets;
}

void write_packets(Bytes& bytes, const Packets& packets, const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::binary);
  for (const Packet& packet : packets.whole) {
    const std::uint64_t content = packet.header.content_bits / 8;
    const std::uint64_t padding = packet.header.packet_bits / 8 - content;
    const std::span<const char> events = bytes.read(packet.at, content).subspan(kCtfPacketHeader);
    char header[kCtfPacketHeader] = {};
    std::memcpy(header, &packet.header, sizeof packet.header);
    file.write(header, sizeof header);
    file.write(events.data(), static_cast<std::streamsize>(events.size()));
    file.write(std::string(padding, '\0').data(), static_cast<std::streamsize>(padding));
  }
  if (!file.flush()) {
    fail(path);
  }
}

}  // namespace

CtfFiles::CtfFiles(const std::filesystem::path& directory)
    : environment_(directory), path_(directory) {
  std::map<std::uint32_t, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (const std::optional<std::uint32_t> core = core_of(entry.path())) {
      files.emplace(*core, entry.path());
    }
  }
  if (files.empty()) {
    throw TraceError(directory.string() + ": has no stream core-0, core-1, ...");
  }
  if (const std::optional<std::size_t> at = environment_.damaged_at()) {
    problems_.push_back((directory / "metadata").string() + ": at byte " + std::to_string(*at) +
                        ": this is not the metadata of a modmem trace");
  }
  try {
    const bool has_events = mend(files);
    if (!has_events) {
      throw TraceError(problems_.empty() ? directory.string() + ": has no events"
                                         : problems_[0] + "; nothing else can be read");
    }
  } catch (...) {
    remove_copy();
    throw;
  }
}

CtfFiles::~CtfFiles() { remove_copy(); }

// Returns whether there are events. All files are in the copy, if there is one.
bool CtfFiles::mend(const std::map<std::uint32_t, std::filesystem::path>& files) {
  std::vector<Packets> streams;
  bool damaged = environment_.damaged_at().has_value();
  bool has_events = false;
  for (const auto& [core, file] : files) {
    Bytes bytes(file);
    streams.push_back(packets_of(bytes, {environment_.uuid(), core}, file.string()));
    const std::vector<std::string>& problems = streams.back().problems;
    problems_.insert(problems_.end(), problems.begin(), problems.end());
    bytes_ += bytes.size();
    has_events = has_events || !streams.back().whole.empty();
    discarded_ += streams.back().whole.empty() ? 0 : streams.back().whole.back().header.discarded;
    damaged = damaged || !problems.empty() || streams.back().whole.empty();
  }
  if (!damaged || !has_events) {
    return has_events;
  }
  std::string name = (std::filesystem::temp_directory_path() / "modmem-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    fail(name);
  }
  path_ = copy_ = name;
  std::ofstream metadata(copy_ / "metadata", std::ios::binary);
  metadata << environment_.metadata();
  if (!metadata.flush()) {
    fail(copy_ / "metadata");
  }
  auto stream = streams.begin();
  for (const auto& [core, file] : files) {
    if (!stream->whole.empty()) {
      Bytes bytes(file);
      write_packets(bytes, *stream, copy_ / file.filename());
    }
    ++stream;
  }
  return true;
}

void CtfFiles::remove_copy() {
  if (!copy_.empty()) {
    std::error_code error;
    std::filesystem::remove_all(copy_, error);
  }
}

}  // namespace modmem::trace
