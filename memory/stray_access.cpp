#include "memory/stray_access.hpp"

namespace modmem {

namespace {

const char* to_string(PageState state) {
  switch (state) {
    case PageState::open:
      return "page open";
    case PageState::read_only:
      return "page read only, as it is granted";
    case PageState::closed:
      return "page closed, as its domain is not entered";
    case PageState::own:
      return "page of the library's own, which nobody else writes";
    case PageState::not_mapped:
      return "page not mapped";
    case PageState::bank_off:
      return "page not mapped, its bank off";
  }
  return "";
}

}  // namespace

Line& describe_stray_access(Line& line, const Memory& memory, const void* address) {
  const HeapReport heap = memory.locate(address);
  if (heap.name == nullptr) {
    const bool own = memory.page_state(address) == PageState::own;
    return line << (own ? "table of the library's own, which nobody else writes" : "in no heap");
  }
  return (line << to_string(memory.page_state(address)) << (heap.former ? ", last" : ",")
               << " in heap " << heap.name << " of " << to_string(heap.owner->spec.kind) << " "
               << heap.owner->spec.name << " (id ")
             .hex(heap.owner->spec.id)
         << ")";
}

}  // namespace modmem
