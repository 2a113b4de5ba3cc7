#include "memory/policy.hpp"

#include "base/text.hpp"

namespace modmem {

const char* to_string(HeapKind kind) {
  switch (kind) {
    case HeapKind::none:
      return "none";
    case HeapKind::elastic:
      return "elastic";
    case HeapKind::fixed:
      return "fixed";
    case HeapKind::slots:
      return "slots";
    case HeapKind::region:
      return "region";
  }
  return "unknown";
}

const Policy* find_policy(const char* name) {
  for (const Policy* policy : kPolicies) {
    if (same_text(policy->name, name)) {
      return policy;
    }
  }
  return nullptr;
}

}  // namespace modmem
