// FileEnds: the outer ends of a session's streams, in files.
//
// Every source endpoint reads the input file from its start, as if it had the endpoint's rate;
// after its end comes silence. Sinks write what --out asked for. Runs off the audio path: fill()
// before a period, drain() after it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "testbench/audio/audio_reader.hpp"
#include "testbench/audio/audio_writer.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {

class FileEnds {
 public:
  // Opens the input once for each source, and the outputs. `length_ms` ends what is written: a sink
  // of rate r writes length_ms * r / 1000 frames. Throws InputError where a file can't be opened,
  // or a single output file is asked for and there is no sink.
  FileEnds(const Topology& topology, const StreamGraph& graph, Session& session,
           const std::filesystem::path& input, const std::optional<std::filesystem::path>& output,
           double length_ms);

  void fill(std::uint64_t period);
  void drain();
  // Completes the files and gives them their names.
  std::vector<std::filesystem::path> finish();

  std::uint64_t frames_in() const { return frames_in_; }
  std::uint64_t frames_out() const { return frames_out_; }

 private:
  struct Source {
    std::size_t node;
    FilePort* port;
    std::unique_ptr<AudioReader> reader;
  };
  struct Sink {
    FilePort* port;
    std::uint64_t frames_left;
    std::filesystem::path path;
    std::unique_ptr<AudioWriter> writer;  // none where nobody wants the file
  };

  Session& session_;
  std::vector<Source> sources_;
  std::vector<Sink> sinks_;
  std::uint64_t frames_in_ = 0;
  std::uint64_t frames_out_ = 0;
};

// The sink that the first playback PCM of `topology` (else its first capture PCM) plays to, of
// those in the graph; the graph's first sink where no PCM leads to one; nothing where it has no
// sink.
std::optional<std::size_t> first_stream_sink(const Topology& topology, const StreamGraph& graph);

}  // namespace modmem::testbench
