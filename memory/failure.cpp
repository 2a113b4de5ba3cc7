#include "memory/failure.hpp"

namespace modmem {

const char* to_string(FailureReason reason) {
  switch (reason) {
    case FailureReason::none:
      return "none";
    case FailureReason::pool:
      return "pool";
    case FailureReason::limit:
      return "limit";
    case FailureReason::guarantee:
      return "guarantee";
    case FailureReason::alignment:
      return "alignment";
    case FailureReason::slots:
      return "slots";
    case FailureReason::unsupported:
      return "unsupported";
    case FailureReason::injected:
      return "injected";
    case FailureReason::fragmentation:
      return "fragmentation";
  }
  return "unknown";
}

const char* to_string(PointerStatus status) {
  switch (status) {
    case PointerStatus::live:
      return "start of a live block";
    case PointerStatus::foreign:
      return "not a block of this owner";
    case PointerStatus::interior:
      return "inside a live block, not at its start";
    case PointerStatus::not_live:
      return "not a live block: freed already, or never allocated";
  }
  return "unknown";
}

const char* to_string(OwnerKind kind) {
  switch (kind) {
    case OwnerKind::system:
      return "system";
    case OwnerKind::pipeline:
      return "pipeline";
    case OwnerKind::module:
      return "module";
    case OwnerKind::buffer:
      return "buffer";
    case OwnerKind::heap:
      return "heap";
    case OwnerKind::region:
      return "region";
    case OwnerKind::slots:
      return "slots";
  }
  return "unknown";
}

}  // namespace modmem
