// ConfigurationBlob: the bytes that configure a widget's module, read from the front.
//
// A module is configured by a bytes control whose private data begin with SOF's header of 32 bytes
// ("SOF4", type, size, ABI, reserved) and go on with what the module's own layout says. This is a
// cursor over the latter: it cannot leave the blob, and whatever is wrong with the blob becomes an
// InputError of one line that names the widget, the control and the reason. A driver may send
// another such blob later, without the header.
// Cost: a string and a ByteReader; every operation O(1). For init(), not for the audio path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "testbench/topology/byte_reader.hpp"
#include "testbench/topology/widget.hpp"

namespace modmem::testbench {

class ConfigurationBlob {
 public:
  // The blob of the widget's first bytes control that has one; empty where none has, or where the
  // header says that nothing follows it. Throws InputError where the header is not SOF's or its
  // size is not that of what follows. The widget must outlive it. O(controls).
  explicit ConfigurationBlob(const Widget& widget);
  // The blob of this bytes control of the widget, with the same requirements.
  ConfigurationBlob(const Widget& widget, const Control& control)
      : ConfigurationBlob(widget, &control) {}
  // A blob that a driver sends, which has no header. It must outlive this.
  explicit ConfigurationBlob(std::span<const std::byte> payload);
  ConfigurationBlob(const ConfigurationBlob&) = delete;
  ConfigurationBlob& operator=(const ConfigurationBlob&) = delete;

  // The type that the header of the control's blob says, 0 where it has none.
  static std::uint32_t type_of(const Control& control);
  // The type that this blob's header said.
  std::uint32_t type() const { return type_; }

  // Whether there is nothing to configure with. Stays as it is however much is read.
  bool empty() const { return size_ == 0; }
  // Bytes behind SOF's header, and how many of them are not yet read.
  std::size_t size() const { return size_; }
  std::size_t remaining() const { return reader_.remaining(); }

  // Says in messages what is being read, e.g. "response 1".
  void set_context(const std::string& context);

  // The next integer, little-endian, called `what` in the message where the blob ends before it.
  template <typename Integer>
  Integer take(std::string_view what) {
    static_assert(std::is_integral_v<Integer>);
    Integer value = 0;
    std::memcpy(&value, reader_.take(sizeof(value), what).data(), sizeof(value));
    return value;
  }
  // Leaves out the next `bytes` bytes.
  void skip(std::size_t bytes, std::string_view what) { reader_.take(bytes, what); }

  // What is not yet read.
  std::span<const std::byte> take_rest() { return reader_.take(remaining(), "the rest"); }

  // Reads the size that most layouts begin with; fails unless it is size().
  void take_size();

  // Throws InputError with `reason`.
  [[noreturn]] void fail(const std::string& reason) const;

  // Fails unless `value`, called `what`, lies between `lowest` and `highest`.
  void require_range(std::int64_t value, std::int64_t lowest, std::int64_t highest,
                     std::string_view what) const;

 private:
  ConfigurationBlob(const Widget& widget, const Control* control);

  std::string name_;  // the reader refers to it
  std::string context_;
  ByteReader reader_;
  std::size_t size_ = 0;
  std::uint32_t type_ = 0;
};

}  // namespace modmem::testbench
