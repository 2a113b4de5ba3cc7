#include "testbench/modules/c_module.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <variant>

#include "testbench/audio/convert.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/configuration_blob.hpp"
#include "testbench/modules/crash_catcher.hpp"

namespace modmem::testbench {
namespace {

// As the driver sends them.
constexpr std::size_t kFragmentBytes = 4096;

constexpr std::size_t kMostBlockSeconds = 10;

// What no function returns.
constexpr int kCrashed = INT_MIN;

modmem_fragment position_of(bool first, bool last) {
  if (first) {
    return last ? MODMEM_FRAGMENT_SINGLE : MODMEM_FRAGMENT_FIRST;
  }
  return last ? MODMEM_FRAGMENT_LAST : MODMEM_FRAGMENT_MIDDLE;
}

// The first stream whose block is out of all proportion, nullptr where none is.
template <typename Stream>
const Stream* find_too_large(std::span<Stream> streams) {
  const auto found = std::find_if(streams.begin(), streams.end(), [](const Stream& stream) {
    return stream.block > kMostBlockSeconds * stream.format.rate;
  });
  return found == streams.end() ? nullptr : &*found;
}

}  // namespace

template <typename Call>
int CModule::guarded(ModulePhase phase, Call call) {
  if (crashed_) {
    return kCrashed;
  }
  const ModuleCall scope(id_, phase);
  int result = 0;
  crashed_ = !CrashCatcher::survives([&] { result = call(); });
  return crashed_ ? kCrashed : result;
}

CModule::~CModule() {
  if (initialised_ && interface_.free != nullptr) {
    guarded(ModulePhase::free, [&] { return interface_.free(instance_.get()); });
  }
  if (crashed_) {
    instance_.release();  // nobody is left to do it, and that is not what is to be said of it
  }
}

// What one of the module's functions returned: true where it succeeded, or is not there any more,
// false where memory ran out.
bool CModule::succeeded(int error, const char* what) const {
  if (error == 0 || error == -ENOMEM || error == kCrashed) {
    return error != -ENOMEM;
  }
  throw InputError(who_ + " " + what + ": error " + std::to_string(error) + ", " +
                   std::generic_category().message(error < 0 ? -error : error));
}

bool CModule::init(const Widget& widget, ModuleMemory& memory) {
  who_ = "widget '" + widget.name + "' (id " + hex(memory.owner()->spec.id) + "): " + module_.name +
         " of " + module_.file;
  const auto init = [&] { return interface_.init(instance_.get()); };
  if (const int error = guarded(ModulePhase::init, init); error != 0) {
    instance_.release();
    return succeeded(error, "refuses it");
  }
  initialised_ = true;
  return std::all_of(widget.controls.begin(), widget.controls.end(), [&](const Control& control) {
    if (!std::holds_alternative<BytesControl>(control.detail) || control.private_data.empty()) {
      return true;
    }
    ConfigurationBlob blob(widget, control);
    return blob.empty() || configure(blob.type(), blob.take_rest());
  });
}

bool CModule::configure(std::uint32_t id, std::span<const std::byte> blob) {
  if (interface_.set_configuration == nullptr) {
    throw InputError(who_ + " takes no configuration");
  }
  std::size_t at = 0;
  do {
    const std::size_t bytes = std::min(blob.size() - at, kFragmentBytes);
    const bool first = at == 0;
    const auto offset_or_size = static_cast<std::uint32_t>(first ? blob.size() : at);
    const auto* fragment = reinterpret_cast<const std::uint8_t*>(blob.data()) + at;
    at += bytes;
    const auto set = [&] {
      return interface_.set_configuration(instance_.get(), id,
                                          position_of(first, at == blob.size()), offset_or_size,
                                          fragment, bytes);
    };
    if (!succeeded(guarded(ModulePhase::configure, set), "refuses its configuration")) {
      return false;
    }
  } while (at < blob.size());
  return true;
}

bool CModule::set_control_blob(const Control& control, std::span<const std::byte> blob,
                               ModuleMemory& /*memory*/) {
  return configure(ConfigurationBlob::type_of(control), blob);
}

bool CModule::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                      ModuleMemory& memory) {
  if (!streams_.begin(inputs, outputs, memory)) {
    return false;
  }
  const std::span<modmem_source> sources = streams_.sources();
  const std::span<modmem_sink> sinks = streams_.sinks();
  const auto prepare = [&] {
    return interface_.prepare(instance_.get(), sources.data(), sources.size(), sinks.data(),
                              sinks.size());
  };
  if (interface_.prepare != nullptr &&
      !succeeded(guarded(ModulePhase::prepare, prepare), "refuses the formats of its streams")) {
    return false;
  }
  if (find_too_large(sources) != nullptr || find_too_large(sinks) != nullptr) {
    throw InputError(who_ + " asks for blocks of more than " + std::to_string(kMostBlockSeconds) +
                     " seconds");
  }
  return streams_.take_queues(memory);
}

void CModule::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const auto process = [&] {
    kept_up_ = streams_.process(interface_, instance_.get(), inputs, outputs, errors_);
    return 0;
  };
  if (guarded(ModulePhase::process, process) == kCrashed) {
    kept_up_ = true;
    for (const OutputView& out : outputs) {
      silence_frames(out.data, out.format, out.frames);
    }
  }
}

void CModule::abandon() { initialised_ = false; }

void CModule::reset(ModuleMemory& /*memory*/) {
  if (interface_.reset != nullptr) {
    guarded(ModulePhase::reset, [&] { return interface_.reset(instance_.get()); });
  }
  streams_.end();
}

}  // namespace modmem::testbench
