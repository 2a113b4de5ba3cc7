// FileEnds: the outer ends of a session's streams, in files.
//
// Every source endpoint reads a file from its start, as if it had the endpoint's rate; after its
// end comes silence. Sinks write what they get while they run. Runs off the audio path: fill()
// before a period, drain() after it.
//
// Where all streams live together, all files are open from the beginning. Where they come and go,
// follow() opens a source's file when its module has been prepared, and a sink's file before it
// first runs; what a sink gets in several lives is one file.
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

  // For streams that come and go: with a file in `folder`, which is created, for every sink that
  // ever runs, where given. Throws InputError where the folder can't be created.
  FileEnds(Session& session, std::optional<std::filesystem::path> folder);

  // After streams have been started, paused, reset or stopped: sources that were prepared since the
  // last call play `input` from its start. Throws InputError where a file can't be opened.
  void follow(const std::filesystem::path& input);

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
    std::unique_ptr<AudioReader> reader;  // none while its module is not prepared
  };
  struct Sink {
    std::size_t node;
    FilePort* port;
    std::uint64_t frames_left;
    std::filesystem::path path;
    std::unique_ptr<AudioWriter> writer;  // none where nobody wants the file
  };

  Session& session_;
  std::optional<std::filesystem::path> folder_;  // for what follow() opens
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
