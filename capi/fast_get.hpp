// Why there is no shared copy, in words.
#pragma once

#include <cstddef>

#include "base/line.hpp"
#include "module/shared_copies.hpp"

namespace modmem {

// Appends what became of a request for a copy of `bytes` bytes at `source` that failed.
Line& describe(Line& line, const CopyResult& failed, const void* source, std::size_t bytes);

}  // namespace modmem
