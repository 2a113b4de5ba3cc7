#include "tools/policies.hpp"

#include <algorithm>
#include <string>

#include "testbench/system.hpp"

namespace modmem::tools {

std::vector<const Policy*> parse_policies(std::string_view list) {
  std::vector<const Policy*> policies;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    policies.push_back(&testbench::find_policy_named(std::string(list.substr(at, comma - at))));
    at = comma + 1;
  }
  return policies;
}

}  // namespace modmem::tools
