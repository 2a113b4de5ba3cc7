#include "testbench/recorded_topology.hpp"

#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "testbench/input_error.hpp"
#include "testbench/toml_file.hpp"

namespace modmem::testbench {

namespace {

constexpr const char* kFolder = "topology";
constexpr const char* kTopology = "running.tplg";
constexpr const char* kRun = "run.toml";

}  // namespace

void save_topology(const std::filesystem::path& directory, const RecordedTopology& topology) {
  const std::filesystem::path folder = directory / kFolder;
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (!error) {
    std::filesystem::copy_file(topology.file, folder / kTopology, error);
  }
  if (error) {
    throw InputError(folder.string() + ": cannot be written: " + error.message());
  }
  std::string text = "topology = " + to_toml(topology.file.filename().string()) +
                     "\nformat = " + to_toml(to_text(topology.format)) + "\npipelines = [";
  for (const std::uint32_t id : topology.pipelines) {
    text += (text.back() == '[' ? "" : ", ") + std::to_string(id);
  }
  std::ofstream file(folder / kRun, std::ios::binary);
  file << text << "]\n";
  if (!file.flush()) {
    throw InputError((folder / kRun).string() + ": cannot be written");
  }
}

bool has_topology(const std::filesystem::path& directory) {
  std::error_code ignored;
  return std::filesystem::exists(directory / kFolder / kRun, ignored);
}

RecordedTopology load_recorded_topology(const std::filesystem::path& directory) {
  const std::filesystem::path folder = directory / kFolder;
  const TomlValue run = load_toml(folder / kRun);
  run.require_keys({"topology", "format", "pipelines"});
  RecordedTopology topology;
  topology.file = folder / kTopology;
  const TomlValue& format = run.at("format");
  const std::optional<StreamFormat> parsed = parse_stream_format(format.text());
  if (!parsed) {
    format.fail("'" + format.text() + "' is no format of a stream");
  }
  topology.format = *parsed;
  for (const TomlValue& id : run.at("pipelines").list()) {
    topology.pipelines.push_back(static_cast<std::uint32_t>(id.integer(0, UINT32_MAX)));
  }
  return topology;
}

}  // namespace modmem::testbench
