// CtfWriter: the events of a recorder as a trace of CTF 1.8: DIR/metadata and DIR/core-N.
//
// It empties the recorder's rings into packets. A packet ends when it has kPacketBytes, when its
// time would be unclear (an anchor after a gap), and with finish(). Events lie in it as in the
// ring. Memory: a packet for each core. Without finish() there is no trace.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "port/platform_config.hpp"
#include "record/recorder.hpp"
#include "trace/ctf_metadata.hpp"
#include "trace/trace_directory.hpp"

namespace modmem::trace {

class CtfWriter final : public RingSpill {
 public:
  static constexpr std::size_t kPacketBytes = std::size_t{1} << 16;

  // Makes the directory, which must not exist or be empty, and writes its metadata; `converted`:
  // of events that were made from rows. Throws TraceError where that can't be.
  CtfWriter(std::filesystem::path directory, Recorder& recorder, const PlatformConfig& platform,
            const std::string& policy, bool converted = false);

  // Takes what lies in the rings: of a core, as a RingSpill, or of all. Remembers an error for
  // finish(). From one thread at a time, so under Memory's lock where it spills.
  void on_full(std::uint32_t core) override;
  void drain();

  // Writes what is left. Throws TraceError where anything could not be written. Once.
  void finish();

  std::uint64_t events() const { return events_; }  // without anchors

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Stream {
    std::unique_ptr<std::FILE, Closer> file;
    std::vector<EventSlot> slots;  // of the packet, which begins with an anchor
    std::size_t content_bits = 0;
    std::uint64_t time = 0;    // of the last event
    std::uint64_t number = 0;  // of the next one
  };

  void take(Stream& stream, std::uint32_t core, const EventSlot* slots, std::size_t count,
            std::size_t bits);
  void write_packet(Stream& stream, std::uint32_t core);

  TraceDirectory directory_;
  Recorder& recorder_;
  CtfUuid uuid_;
  std::vector<Stream> streams_;
  std::vector<EventSlot> read_;
  std::uint64_t events_ = 0;
  int error_ = 0;  // errno of the first write that failed
};

}  // namespace modmem::trace
