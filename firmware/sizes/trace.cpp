// Memory with a recorder.
#include "firmware/sizes/memory_functions.hpp"
#include "record/recorded_port.hpp"

namespace modmem::sizes {

namespace {
alignas(Memory) std::byte object[sizeof(Memory)];
alignas(Recorder) std::byte recorder[sizeof(Recorder)];
alignas(RecordedPort) std::byte port[sizeof(RecordedPort)];
}  // namespace

void anchor() {
  new (object) Memory;
  auto* made = new (recorder) Recorder;
  Port* below = nullptr;
  asm volatile("" : "=r"(below));
  new (port) RecordedPort(*below, *made);
  keep_memory();
  keep<&Recorder::open, &Recorder::lost, &Recorder::pipeline, &Recorder::period>();
}

}  // namespace modmem::sizes
