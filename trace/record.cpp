#include "trace/record.hpp"

namespace modmem::trace {

namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Op op_of(std::string_view name) {
  if (name == "release") {
    return {.kind = OpKind::release};
  }
  if (name.ends_with("free")) {
    return {.kind = OpKind::free};
  }
  Op op;
  op.kind = has(name, "realloc") ? OpKind::resize : OpKind::allocate;
  op.zeroed = has(name, "zalloc");
  if (has(name, "balloc") || has(name, "brealloc")) {
    op.implied |= flag::kLargeBuffer;
  }
  if (name.starts_with("mod_")) {
    op.implied |= flag::kUser;
  }
  return op;
}

}  // namespace modmem::trace
