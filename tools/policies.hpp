// A list of policies on the command line.
#pragma once

#include <string_view>
#include <vector>

#include "memory/policy.hpp"

namespace modmem::tools {

// The policies named in `list`, between commas. Throws InputError where there is no such policy.
std::vector<const Policy*> parse_policies(std::string_view list);

}  // namespace modmem::tools
