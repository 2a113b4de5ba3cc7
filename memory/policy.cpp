#include "memory/policy.hpp"

namespace modmem {

namespace {
bool same(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}
}  // namespace

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
    if (same(policy->name, name)) {
      return policy;
    }
  }
  return nullptr;
}

}  // namespace modmem
