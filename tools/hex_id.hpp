// Ids as all reports show them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace modmem::tools {

// "0x" and eight digits.
inline std::string hex_id(std::uint32_t id) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(id));
  return text;
}

}  // namespace modmem::tools
