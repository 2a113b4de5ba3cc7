#include "memory/failure.hpp"

namespace modmem {

namespace {

// Appends to a text of bounded length.
class TextEnd {
 public:
  explicit TextEnd(std::span<char> text) : text_(text) {}

  TextEnd& operator<<(const char* more) {
    for (; *more != '\0' && at_ + 1 < text_.size(); ++more) {
      text_[at_++] = *more;
    }
    return *this;
  }
  TextEnd& operator<<(std::uint32_t number) {
    char digits[11] = {};
    char* first = digits + sizeof digits - 1;
    do {
      *--first = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << first;
  }
  // Ends the text and returns its length.
  std::size_t end() {
    if (!text_.empty()) {
      text_[at_] = '\0';
    }
    return at_;
  }

 private:
  std::span<char> text_;
  std::size_t at_ = 0;
};

bool is_same(const char* one, const char* other) {
  while (*one != '\0' && *one == *other) {
    ++one;
    ++other;
  }
  return *one == *other;
}

}  // namespace

std::size_t to_text(const GuaranteeFigures& figures, std::span<char> text) {
  TextEnd out(text);
  if (figures.asked != 0) {
    out << "asked " << figures.asked << " frames";
    if (figures.metadata != 0) {
      out << " (" << figures.metadata << " for metadata)";
    }
    out << ", guaranteed to others " << figures.guaranteed << " frames";
    if (figures.within == nullptr) {
      out << ", held " << figures.held << " frames, pool " << figures.total << " frames";
    } else {
      out << ", guarantee of " << figures.within << " " << figures.total << " frames";
    }
  }
  return out.end();
}

Line& describe_damage(Line& line, const Fault& fault) {
  if (fault.kind == FaultKind::pointer) {
    return line;
  }
  const bool overrun = fault.kind == FaultKind::overrun;
  line << (overrun ? "overrun: " : "write after free: ") << fault.length
       << (fault.length == 1 ? " byte" : " bytes");
  if (overrun) {
    const std::size_t behind = fault.offset - fault.bytes;
    if (behind != 0) {
      line << ", " << behind << " bytes";
    }
    line << " behind a block of ";
  } else {
    line << ", " << fault.offset << " bytes into a block of ";
  }
  const char* kind = to_string(fault.owner_kind);
  line << fault.bytes << " bytes of " << kind;
  if (!is_same(kind, fault.owner_name)) {
    line << " " << fault.owner_name;
  }
  line << " (id ";
  return line.hex(fault.owner_id) << "), in heap " << fault.heap;
}

const char* advice(FaultKind kind) {
  switch (kind) {
    case FaultKind::pointer:
      return "give back what was taken, once";
    case FaultKind::overrun:
      return "write within the block, or ask for more";
    case FaultKind::write_after_free:
      return "use nothing that was freed, and forget its address";
  }
  return "";
}

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
    case PointerStatus::damaged:
      return "a block of L3 whose content was damaged while the power was off";
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
