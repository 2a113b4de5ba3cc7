// CtfEnvironment: what the metadata of a recorded trace says of where it was recorded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "port/platform_config.hpp"
#include "trace/ctf_metadata.hpp"

namespace modmem::trace {

class CtfEnvironment {
 public:
  // Reads DIR/metadata. Throws TraceError where there is none, it is not of a trace of ours, or a
  // name or number of the platform is missing or is none.
  explicit CtfEnvironment(const std::filesystem::path& directory);

  const CtfUuid& uuid() const { return uuid_; }
  // Its names live as long as this.
  PlatformConfig platform() const;
  const std::string& policy() const { return policy_; }
  // Whether the trace was made from rows, which have no addresses, and not recorded.
  bool is_converted() const { return converted_; }

  // What `metadata` is where it is whole: nothing else is written into a trace of this kind.
  std::string metadata() const;
  // The first byte at which it is not; nothing where it is whole.
  std::optional<std::size_t> damaged_at() const { return damaged_at_; }

 private:
  CtfUuid uuid_{};
  PlatformConfig numbers_{};
  std::string platform_;
  std::string policy_;
  bool converted_ = false;
  std::optional<std::size_t> damaged_at_;
};

}  // namespace modmem::trace
