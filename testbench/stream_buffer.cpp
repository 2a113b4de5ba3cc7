#include "testbench/stream_buffer.hpp"

namespace modmem::testbench {

bool StreamBuffer::open(Memory& memory, Owner& pipeline) {
  bound_ = true;
  if (!memory_.open(memory, pipeline,
                    {.kind = OwnerKind::buffer, .id = edge_.id, .name = edge_.name.c_str()})) {
    return false;
  }
  data_ = memory_.make_array<std::byte>(edge_.bytes, flag::kLargeBuffer, MODMEM_HERE);
  return static_cast<bool>(data_);
}

void StreamBuffer::close() {
  set_live(false);
  data_.reset();
  memory_.close();
  bound_ = false;
}

void StreamBuffer::set_live(bool live) {
  if (live != live_) {
    live_ = live;
    own_pace_ = false;
    frames_ = 0;
  }
}

void StreamBuffer::wrote(std::size_t frames, bool own_pace) {
  frames_ = frames;
  own_pace_ = own_pace_ || own_pace;
}

}  // namespace modmem::testbench
