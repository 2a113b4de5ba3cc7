// KPB: a key-phrase buffer, which remembers what was said before anybody listened.
//
// Records its input all the time, and keeps the latest 2100 ms in the input's own format. Output 0,
// a detector's, gets the input as it comes, and so do further outputs from 2 on; output 1, the
// host's, gets nothing until trigger(). Then it drains: oldest frame first, as many frames a period
// as there is room for behind it, while recording goes on, until it has caught up; from there on it
// gets what the period before brought. Its whole output is the input from frame
//
//   (frames that came before trigger()) - (frames held then)
//
// on, bit for bit where the formats are equal, without gap or repeat, as long as at any time since
// trigger() it has got at least as many frames as came: exactly as many keep it as late as it
// began, for ever. Where it gets fewer, a full history runs over: the oldest frames give way to new
// ones, and lost_frames() counts them.
//
// Memory while prepared: rate * 2.1 frames, in one large buffer. Cost: O(bytes in and out).
#pragma once

#include <array>
#include <cstdint>

#include "testbench/modules/frame_ring.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr Uuid kKpbUuid = *parse_uuid("a8a0cb32-4a77-4db1-85c7-53d7ee07bce6");

class Kpb final : public Module {
 public:
  static constexpr std::uint64_t kHistoryMs = 2100;
  static constexpr std::size_t kHostOutput = 1;

  bool init(const Widget& widget, ModuleMemory& memory) override;
  // Throws InputError where the host's output has another rate than the input.
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  // Requires that output 1 has at most output_frames() frames; what is beyond is silent.
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  // Forgets the history, and waits for a trigger again.
  void reset(ModuleMemory& memory) override;

  // Starts draining. False, with nothing changed, where it drains already, is not prepared, or has
  // no output for the host. O(1).
  bool trigger() override;
  // Of the host's output: nothing before trigger(), then the frames that wait, at most `room`.
  std::size_t output_frames(std::size_t output, std::size_t due, std::size_t room) const override;

  // Frames that were recorded, should have been drained, and gave way to newer ones, since
  // prepare(). O(1).
  std::uint64_t lost_frames() const { return lost_; }

 private:
  void drain(const OutputView& out);
  void record(const InputView& in);

  std::array<char, 44> name_{};  // the widget's, for messages; as long as ALSA's names are
  FrameRing history_;
  bool has_host_ = false;
  bool draining_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace modmem::testbench
