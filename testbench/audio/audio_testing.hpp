// For tests of audio files: a folder that goes away, WAV files made byte by byte, and the form that
// every error must have.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "modmem-audio-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no temporary folder: " + name);
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  ASSERT_TRUE(file.good()) << path;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A WAV file of one fmt and one data chunk; every field can be given a value that makes no sense.
struct Wav {
  std::uint16_t tag = 1;  // 1 integer, 3 floating point
  std::uint16_t channels = 2;
  std::uint32_t rate = 48000;
  std::uint16_t bits = 16;
  std::string data;

  std::string bytes() const {
    const std::uint32_t block = channels * (bits / 8U);
    std::string text = "RIFF";
    put(text, static_cast<std::uint32_t>(36 + data.size()));
    text += "WAVEfmt ";
    put(text, std::uint32_t{16});
    put(text, tag);
    put(text, channels);
    put(text, rate);
    put(text, rate * block);
    put(text, static_cast<std::uint16_t>(block));
    put(text, bits);
    text += "data";
    put(text, static_cast<std::uint32_t>(data.size()));
    return text + data;
  }

  // Appends `value` as it lies in memory, which is little-endian on every host of these tests.
  template <typename T>
  static void put(std::string& text, T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    text.append(raw, sizeof(T));
  }
};

inline constexpr std::size_t kWavHeaderBytes = 44;

// Expects that `act` throws an InputError of one line that begins with the file's name and holds
// `reason`.
template <typename Act>
void expect_input_error(const std::filesystem::path& file, std::string_view reason, Act act) {
  try {
    act();
    ADD_FAILURE() << file << ": no error; expected one about '" << reason << "'";
  } catch (const InputError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind(file.string() + ": ", 0), 0U) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nlacks: " << reason;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_GT(message.size(), file.string().size() + 5) << message;
  }
}

template <typename T>
std::byte* bytes_of(std::vector<T>& values) {
  return reinterpret_cast<std::byte*>(values.data());
}

template <typename T>
const std::byte* bytes_of(const std::vector<T>& values) {
  return reinterpret_cast<const std::byte*>(values.data());
}

}  // namespace modmem::testbench
