// Text of files in messages: whatever it holds, a message stays one line that a terminal shows.
#pragma once

#include <string>
#include <string_view>

namespace modmem::trace {

// `text` with control characters, NUL among them, as \xNN. What is beyond ASCII stays.
inline std::string printable(std::string_view text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) {
      line += "\\x";
      line += kDigits[byte >> 4U];
      line += kDigits[byte & 15U];
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace modmem::trace
