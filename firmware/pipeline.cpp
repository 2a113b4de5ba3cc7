#include "firmware/pipeline.hpp"

#include <cstdint>

#include "module/module_memory.hpp"

namespace modmem::firmware {

namespace {

constexpr std::size_t kFrames = 48;  // a period of 1 ms at 48 kHz
constexpr std::size_t kChannels = 2;
constexpr std::size_t kPeriods = 1000;
constexpr std::int32_t kPeak = 1 << 30;
constexpr std::int32_t kHalf = 1 << 15;  // Q16

// What modules have in common: an account, and the audio that they put out.
class AudioModule {
 public:
  bool open(Memory& memory, Owner& pipeline, std::uint32_t id, const char* name) {
    if (!memory_.open(memory, pipeline, {.kind = OwnerKind::module, .id = id, .name = name})) {
      return false;
    }
    output_ = static_cast<std::int32_t*>(
        memory_.allocate_zeroed(kFrames * kChannels * sizeof(std::int32_t), 32, flag::kUser));
    return output_ != nullptr;
  }
  std::size_t close() { return memory_.close(); }
  const std::int32_t* output() const { return output_; }
  void release() { memory_.free(output_); }

 protected:
  ModuleMemory& memory() { return memory_; }
  std::int32_t* samples() { return output_; }

 private:
  ModuleMemory memory_;
  std::int32_t* output_ = nullptr;
};

// A triangle of 1 kHz, the other channel inverted.
class Tone final : public AudioModule {
 public:
  void process() {
    constexpr std::int32_t kStep = kPeak / 12;
    for (std::size_t frame = 0; frame < kFrames; ++frame) {
      const auto phase = static_cast<std::int32_t>(phase_);
      const std::int32_t level = phase < 12   ? phase * kStep
                                 : phase < 36 ? (24 - phase) * kStep
                                              : (phase - 48) * kStep;
      samples()[frame * kChannels] = level;
      samples()[frame * kChannels + 1] = -level;
      phase_ = (phase_ + 1) % kFrames;
    }
  }

 private:
  std::size_t phase_ = 0;
};

// Goes to its target in steps that it has in a table, as a module's configuration.
class Gain final : public AudioModule {
 public:
  static constexpr std::size_t kSteps = 100;

  bool configure(std::int32_t target) {
    ramp_ = static_cast<std::int32_t*>(
        memory().allocate(kSteps * sizeof(std::int32_t), 0, flag::kUser));
    for (std::size_t i = 0; ramp_ != nullptr && i < kSteps; ++i) {
      ramp_[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(target) *
                                           static_cast<std::int32_t>(i + 1) / 100);
    }
    return ramp_ != nullptr;
  }
  void process(const std::int32_t* input) {
    const std::int32_t gain = ramp_[step_ < kSteps ? step_ : kSteps - 1];
    ++step_;
    for (std::size_t i = 0; i < kFrames * kChannels; ++i) {
      samples()[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(input[i]) * gain >> 16);
    }
  }
  void release_ramp() { memory().free(ramp_); }

 private:
  std::int32_t* ramp_ = nullptr;
  std::size_t step_ = 0;
};

}  // namespace

void test_pipeline(Report& report, Memory& memory) {
  report.begin("pipeline", "two modules play 1,000 periods");
  Owner* pipeline =
      memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline, .id = 1, .name = "tone"});
  Tone tone;
  Gain gain;
  if (MODMEM_CHECK(report, pipeline != nullptr) &&
      MODMEM_CHECK(report, tone.open(memory, *pipeline, 0x10000, "tone.1")) &&
      MODMEM_CHECK(report, gain.open(memory, *pipeline, 0x10001, "gain.1")) &&
      MODMEM_CHECK(report, gain.configure(kHalf))) {
    std::int32_t most = 0;
    for (std::size_t period = 0; period < kPeriods; ++period) {
      tone.process();
      gain.process(tone.output());
      most = 0;
      for (std::size_t frame = 0; frame < kFrames; ++frame) {
        const std::int32_t left = gain.output()[frame * kChannels];
        const std::int32_t right = gain.output()[frame * kChannels + 1];
        MODMEM_CHECK(report, left + right == 0 || left + right == -1);
        most = left > most ? left : most;
      }
    }
    MODMEM_CHECK(report, most == kPeak / 12 * 12 / 2);
    MODMEM_CHECK(report, memory.check(CheckDepth::deep));
    // The tone leaves its buffer behind: the account reports it, and gives it back.
    gain.release_ramp();
    gain.release();
    MODMEM_CHECK(report, gain.close() == 0);
    MODMEM_CHECK(report, tone.close() == 1);
  }
  if (pipeline != nullptr) {
    MODMEM_CHECK(report, memory.destroy_owner(*pipeline) == 0);
  }
  MODMEM_CHECK(report, memory.pool().taken() == 0);
  report.end();
}

}  // namespace modmem::firmware
