#include "testbench/modules/shared_object.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "testbench/input_error.hpp"
#include "testbench/modules/call_site.hpp"

namespace modmem::testbench {
namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& reason) {
  throw InputError("module " + file.string() + ": " + reason);
}

// Reads `bytes` bytes from `offset` on into `to`. False where they are not all there.
bool read(std::ifstream& stream, std::uint64_t offset, void* to, std::size_t bytes) {
  stream.seekg(static_cast<std::streamoff>(offset));
  stream.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  return stream.good();
}

// Fails where `file` has less than its headers say. What they are of another kind of machine for is
// left to the system.
void require_whole(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (error) {
    fail(file, error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    fail(file, "it is no regular file");
  }
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) {
    fail(file, std::generic_category().message(error ? error.value() : errno));
  }
  Header header{};
  if (!read(stream, 0, &header, SELFMAG) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    fail(file, "it is no ELF file");
  }
  constexpr const char* kCut = "it is cut off";
  if (!read(stream, 0, &header, sizeof(header))) {
    fail(file, kCut);
  }
  if (header.e_phentsize != sizeof(Segment)) {
    return;
  }
  std::vector<Segment> segments(header.e_phnum);
  if (header.e_phoff > size ||
      !read(stream, header.e_phoff, segments.data(), segments.size() * sizeof(Segment))) {
    fail(file, kCut);
  }
  for (const Segment& segment : segments) {
    if (segment.p_type == PT_LOAD &&
        (segment.p_offset > size || segment.p_filesz > size - segment.p_offset)) {
      fail(file, kCut);
    }
  }
}

// What the system's loader says, without the file's name in front.
std::string loader_error(const std::string& name) {
  const char* const said = dlerror();
  const std::string text = said == nullptr ? "it cannot be loaded" : said;
  return text.starts_with(name + ": ") ? text.substr(name.size() + 2) : text;
}

// An address in what was loaded.
const void* place_of(void* handle) {
  link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0 ? map->l_ld : nullptr;
}

}  // namespace

SharedObject::SharedObject(const std::filesystem::path& file) {
  require_whole(file);
  // With a folder in front, so that the system does not look for it elsewhere.
  const std::string name = std::filesystem::absolute(file).string();
  handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    fail(file, loader_error(name));
  }
  note_module_file(place_of(handle_));
}

SharedObject::~SharedObject() {
  if (handle_ != nullptr) {
    forget_module_file(place_of(handle_));
    dlclose(handle_);
  }
}

SharedObject::SharedObject(SharedObject&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)) {}

const void* SharedObject::find(const char* name) const { return dlsym(handle_, name); }

}  // namespace modmem::testbench
