// Copier: hands what comes in to every output, in that output's format.
//
// Host and DAI copiers are copiers with a file at their outer end, as hardware has it in a DMA
// buffer that the copier provides: what comes in from outside, or goes out, passes through it. The
// widget's type tells which end that is:
//
//   aif_in   host, playback   first input    max(2, deep buffer ms) periods   of ibs
//   dai_out  DAI, capture     first input    2 periods                        of obs
//   aif_out  host, capture    last output    2 periods                        of obs
//   dai_in   DAI, playback    last output    2 periods                        of ibs
//
// A period is what the widget declares for the stream's format (ibs, obs), one period of the audio
// that passes through at least. All but deep buffers pass audio on in the period in which it comes,
// in turns where it is more than they hold. Every other copier has no buffer, and so has a mixin:
// all that distinguishes that in firmware is that a mixout takes what it puts out.
//
// A deep buffer, of more than 2 ms, takes what memory there is from 2 periods up to its depth. The
// host fills it in bursts, as soon as it is no more than half full, and may sleep in between.
//
// Memory: for life, 16 bytes for each format that a host or DAI copier declares; while prepared,
// the buffer: coherent, aligned for DMA.
#pragma once

#include <cstdint>

#include "testbench/modules/frame_ring.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class Copier final : public Module {
 public:
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  // Of the first input. A deep buffer takes as many frames as it has room for, leaves out what is
  // beyond, and hands out what the first connected output is due.
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;

  // Of a deep buffer: its free frames, none while it is more than half full; its size.
  std::size_t host_frames(std::size_t due) const override;
  std::size_t most_host_frames(std::size_t due) const override;

  // What hardware reads or writes; empty where there is no such thing.
  std::span<const std::byte> dma_buffer() const { return buffer_.block(); }

 private:
  // A format that the widget declares, on the side that the buffer is measured by.
  struct Declared {
    std::uint32_t rate = 0;
    std::uint32_t channels = 0;
    std::uint32_t bits = 0;
    std::uint32_t period_bytes = 0;
  };
  enum class BufferAt : std::uint8_t { nowhere, input, output };

  bool is_deep() const { return depth_ms_ != 0; }
  std::size_t declared_period(const StreamFormat& format) const;
  void pass_in(const InputView& in, std::span<const OutputView> outputs);
  void pass_out(const OutputView& out);
  std::size_t take_due(std::span<const OutputView> outputs);

  BufferAt buffer_at_ = BufferAt::nowhere;
  bool by_input_ = false;       // measured by ibs, not obs
  std::uint32_t depth_ms_ = 0;  // of a deep buffer, else 0
  ModuleArray<Declared> declared_;
  FrameRing buffer_;
  StreamFormat format_;     // of what is in it
  std::uint64_t owed_ = 0;  // by a deep buffer: frames beyond whole ones, times the output's rate
};

}  // namespace modmem::testbench
