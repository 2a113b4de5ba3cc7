#include "testbench/file_ends.hpp"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <utility>

#include "testbench/audio/convert.hpp"
#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

std::optional<std::size_t> node_of(const Topology& topology, const StreamGraph& graph,
                                   std::optional<std::size_t> widget) {
  for (std::size_t i = 0; widget && i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].widget == &topology.widgets[*widget]) {
      return i;
    }
  }
  return std::nullopt;
}

// The first sink that is heard from `start`, nearest first.
std::optional<std::size_t> sink_from(const StreamGraph& graph, std::size_t start) {
  std::vector<std::size_t> reached{start};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const StreamNode& node = graph.nodes[reached[i]];
    if (node.endpoint == Endpoint::sink) {
      return reached[i];
    }
    for (const std::size_t edge : node.outputs) {
      const std::size_t next = graph.edges[edge].sink;
      if (std::find(reached.begin(), reached.end(), next) == reached.end()) {
        reached.push_back(next);
      }
    }
  }
  return std::nullopt;
}

bool names_directory(const std::filesystem::path& path) {
  std::error_code ignored;
  return !path.has_filename() || std::filesystem::is_directory(path, ignored);
}

void make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    throw InputError(path.string() + ": can't create the directory: " + error.message());
  }
}

// A widget's name, which a topology may choose freely, as a file name.
std::string file_name(const std::string& widget) {
  std::string name = widget;
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".wav";
}

}  // namespace

std::optional<std::size_t> first_stream_sink(const Topology& topology, const StreamGraph& graph) {
  for (const Pcm& pcm : topology.pcms) {
    const auto start = node_of(topology, graph, pcm.playback_widget);
    if (const auto sink = start ? sink_from(graph, *start) : std::nullopt) {
      return sink;
    }
  }
  for (const Pcm& pcm : topology.pcms) {
    if (const auto sink = node_of(topology, graph, pcm.capture_widget)) {
      return sink;
    }
  }
  const auto first =
      std::find_if(graph.nodes.begin(), graph.nodes.end(),
                   [](const StreamNode& node) { return node.endpoint == Endpoint::sink; });
  if (first == graph.nodes.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(first - graph.nodes.begin());
}

FileEnds::FileEnds(const Topology& topology, const StreamGraph& graph, Session& session,
                   const std::filesystem::path& input,
                   const std::optional<std::filesystem::path>& output, double length_ms)
    : session_(session) {
  const bool all = output && names_directory(*output);
  const std::optional<std::size_t> single = first_stream_sink(topology, graph);
  if (output && !single) {
    throw InputError(topology.name + ": no stream ends in an output that could be written");
  }
  if (all) {
    make_directory(*output);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const StreamNode& node = graph.nodes[i];
    FilePort* port = session.file_port(i);
    if (node.endpoint == Endpoint::source) {
      sources_.push_back({i, port, std::make_unique<AudioReader>(input)});
    } else if (node.endpoint == Endpoint::sink) {
      Sink sink{i, port, 0, {}, nullptr};
      sink.frames_left =
          static_cast<std::uint64_t>(std::ceil(length_ms * port->format.rate / 1000 - 1e-6));
      if (all || (output && i == *single)) {
        sink.path = all ? *output / file_name(node.widget->name) : *output;
        sink.writer = std::make_unique<AudioWriter>(sink.path, port->format);
      }
      sinks_.push_back(std::move(sink));
    }
  }
}

FileEnds::FileEnds(Session& session, std::optional<std::filesystem::path> folder)
    : session_(session), folder_(std::move(folder)) {
  if (folder_) {
    make_directory(*folder_);
  }
  const StreamGraph& graph = session.graph();
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    FilePort* port = session.file_port(i);
    if (graph.nodes[i].endpoint == Endpoint::source) {
      sources_.push_back({i, port, nullptr});
    } else if (graph.nodes[i].endpoint == Endpoint::sink) {
      sinks_.push_back({i, port, UINT64_MAX, {}, nullptr});
    }
  }
}

void FileEnds::follow(const std::filesystem::path& input) {
  for (Source& source : sources_) {
    if (!session_.prepared(source.node)) {
      source.reader.reset();
    } else if (!source.reader) {
      source.reader = std::make_unique<AudioReader>(input);
    }
  }
  for (Sink& sink : sinks_) {
    if (folder_ && !sink.writer && session_.runs(sink.node)) {
      sink.path = *folder_ / file_name(session_.graph().nodes[sink.node].widget->name);
      sink.writer = std::make_unique<AudioWriter>(sink.path, sink.port->format);
    }
  }
}

void FileEnds::fill(std::uint64_t period) {
  for (Source& source : sources_) {
    FilePort& port = *source.port;
    if (!session_.runs(source.node)) {
      continue;
    }
    port.frames = session_.frames_wanted(source.node, period);
    const std::size_t got = source.reader->read(port.data, port.format, port.frames);
    silence_frames(port.data + got * port.format.frame_bytes(), port.format, port.frames - got);
    frames_in_ += got;
  }
}

void FileEnds::drain() {
  for (Sink& sink : sinks_) {
    const auto frames =
        static_cast<std::size_t>(std::min<std::uint64_t>(sink.frames_left, sink.port->frames));
    if (sink.writer) {
      sink.writer->write(sink.port->data, frames);
    }
    sink.frames_left -= frames;
    frames_out_ += frames;
  }
}

std::vector<std::filesystem::path> FileEnds::finish() {
  std::vector<std::filesystem::path> files;
  for (Sink& sink : sinks_) {
    if (sink.writer) {
      sink.writer->finish();
      files.push_back(sink.path);
    }
  }
  return files;
}

}  // namespace modmem::testbench
