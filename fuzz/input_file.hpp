// Inputs as files, for readers that take nothing else: in memory, where the system has such a
// place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "fuzz/fuzz_target.hpp"

namespace modmem::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A folder that goes with it.
class InputFolder {
 public:
  InputFolder() {
    std::error_code error;
    std::filesystem::path place = "/dev/shm";
    if (!std::filesystem::is_directory(place, error)) {
      place = std::filesystem::temp_directory_path();
    }
    std::string name = (place / "modmem-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "no folder for inputs");
    path_ = name;
  }
  ~InputFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  InputFolder(const InputFolder&) = delete;
  InputFolder& operator=(const InputFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Writes `content` to the file `name`, and returns its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
    require(static_cast<bool>(stream.flush()), "an input can't be written");
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace modmem::fuzz
