#include "trace/writer.hpp"

#include <charconv>
#include <string_view>

namespace modmem::trace {

namespace {

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  static_cast<void>(error);  // 20 digits hold every number
  text.append(digits, end);
}

void append_field(std::string& text, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    text += field;
    return;
  }
  text += '"';
  for (const char character : field) {
    text.append(character == '"' ? 2 : 1, character);
  }
  text += '"';
}

}  // namespace

Writer::Writer(std::string& text, bool owners) : text_(text), owners_(owners) {
  text_ += "time_us,op,id,bytes,alignment,flags,caller";
  text_ += owners_ ? ",owner\n" : "\n";
}

void Writer::write(const Record& record) {
  const OpKind kind = op_of(record.op).kind;
  append_number(text_, record.time_us);
  text_ += ',';
  append_field(text_, record.op);
  text_ += ',';
  if (kind != OpKind::release) {
    append_number(text_, record.id);
  }
  if (kind == OpKind::allocate || kind == OpKind::resize) {
    for (const std::uint32_t number : {record.bytes, record.alignment, record.flags}) {
      text_ += ',';
      append_number(text_, number);
    }
    text_ += ',';
  } else {
    text_ += ",,,,";
  }
  append_field(text_, record.caller);
  if (owners_) {
    text_ += ',';
    append_field(text_, record.owner);
  }
  text_ += '\n';
}

}  // namespace modmem::trace
