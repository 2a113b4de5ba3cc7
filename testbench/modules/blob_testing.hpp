// For tests of modules: configuration blobs as SOF writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "testbench/topology/widget.hpp"

namespace modmem::testbench {

// The bytes of a blob, one integer after the other.
class BlobBytes {
 public:
  template <typename Integer>
  BlobBytes& put(Integer value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(value));
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
    return *this;
  }
  BlobBytes& words(const std::vector<std::int32_t>& values) {
    for (const std::int32_t value : values) {
      put(value);
    }
    return *this;
  }
  BlobBytes& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  BlobBytes& append(const std::vector<std::byte>& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

  // Preceded by their number, this number's four bytes included.
  std::vector<std::byte> sized() const {
    const auto size = static_cast<std::uint32_t>(bytes_.size() + sizeof(std::uint32_t));
    return BlobBytes().put(size).append(bytes_).bytes();
  }

 private:
  std::vector<std::byte> bytes_;
};

inline Control bytes_control(std::vector<std::byte> data) {
  Control control;
  control.name = "blob";
  control.detail = BytesControl{};
  control.private_data = std::move(data);
  return control;
}

// SOF's header and then `payload`.
inline std::vector<std::byte> with_header(const std::vector<std::byte>& payload) {
  return BlobBytes()
      .put(std::uint32_t{0x34464f53})
      .put(std::uint32_t{0})
      .put(static_cast<std::uint32_t>(payload.size()))
      .put(std::uint32_t{0x0301a000})
      .zeros(16)
      .append(payload)
      .bytes();
}

// A widget whose module is configured with `payload`.
inline Widget blob_widget(const std::vector<std::byte>& payload) {
  Widget widget;
  widget.name = "module.1.1";
  widget.controls.push_back(bytes_control(with_header(payload)));
  return widget;
}

}  // namespace modmem::testbench
