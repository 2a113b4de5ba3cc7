#include "testbench/modules/configuration_blob.hpp"

#include <algorithm>
#include <span>
#include <variant>

#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kMagic = 0x34464f53;  // "SOF4"
constexpr std::size_t kReservedBytes = 16;

const Control* find_control(const Widget& widget) {
  const auto found =
      std::find_if(widget.controls.begin(), widget.controls.end(), [](const Control& control) {
        return std::holds_alternative<BytesControl>(control.detail) &&
               !control.private_data.empty();
      });
  return found == widget.controls.end() ? nullptr : &*found;
}

std::span<const std::byte> data_of(const Control* control) {
  return control == nullptr ? std::span<const std::byte>() : std::span(control->private_data);
}

}  // namespace

ConfigurationBlob::ConfigurationBlob(const Widget& widget)
    : ConfigurationBlob(widget, find_control(widget)) {}

ConfigurationBlob::ConfigurationBlob(const Widget& widget, const Control* control)
    : name_("widget '" + widget.name + "'" +
            (control == nullptr ? "" : ": control '" + control->name + "'")),
      reader_(data_of(control), name_) {
  if (control == nullptr) {
    return;
  }
  const auto magic = take<std::uint32_t>("the header's magic");
  if (magic != kMagic) {
    fail("its blob begins with " + hex(magic) + ", not with " + hex(kMagic) + " (SOF4)");
  }
  type_ = take<std::uint32_t>("the header's type");
  const auto size = take<std::uint32_t>("the header's size");
  skip(sizeof(std::uint32_t), "the header's ABI");
  skip(kReservedBytes, "the header's reserved bytes");
  size_ = remaining();
  if (size != size_) {
    fail("its blob's header says that " + std::to_string(size) + " bytes follow, " +
         std::to_string(size_) + " do");
  }
}

ConfigurationBlob::ConfigurationBlob(std::span<const std::byte> payload)
    : name_("the new configuration"), reader_(payload, name_), size_(payload.size()) {}

std::uint32_t ConfigurationBlob::type_of(const Control& control) {
  std::uint32_t type = 0;
  if (control.private_data.size() >= 2 * sizeof(type)) {
    std::memcpy(&type, control.private_data.data() + sizeof(type), sizeof(type));
  }
  return type;
}

void ConfigurationBlob::set_context(const std::string& context) {
  context_ = context;
  reader_.set_context(context);
}

void ConfigurationBlob::take_size() {
  const auto size = take<std::uint32_t>("the size");
  if (size != size_) {
    fail("its configuration says that it has " + std::to_string(size) + " bytes, it has " +
         std::to_string(size_));
  }
}

void ConfigurationBlob::fail(const std::string& reason) const {
  throw InputError(name_ + ": " + (context_.empty() ? "" : context_ + ": ") + reason);
}

void ConfigurationBlob::require_range(std::int64_t value, std::int64_t lowest, std::int64_t highest,
                                      std::string_view what) const {
  if (value < lowest || value > highest) {
    fail(std::string(what) + " of " + std::to_string(value) + ", " + std::to_string(lowest) +
         " to " + std::to_string(highest) + " are possible");
  }
}

}  // namespace modmem::testbench
