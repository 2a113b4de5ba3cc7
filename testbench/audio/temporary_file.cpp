#include "testbench/audio/temporary_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace modmem::testbench {
namespace {

constexpr int kMaxNameAttempts = 1000;
constexpr mode_t kNewFileMode = 0666;  // less the umask

// The file that `path` names, once its symbolic links are followed; checks that it can be replaced.
std::filesystem::path replaceable(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) {
      fail_audio(path, "cannot be written", errno);
    }
    return end_of_links(path);
  }
  if (S_ISDIR(status.st_mode)) {
    fail_audio(path, "cannot be written: it is a directory");
  }
  if (!S_ISREG(status.st_mode)) {
    fail_audio(path, "cannot be written: it is not a regular file");
  }
  if (::access(path.c_str(), W_OK) != 0) {
    fail_audio(path, "cannot be written", errno);
  }
  std::error_code error;
  std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) {
    fail_audio(path, "cannot be written: " + error.message());
  }
  return target;
}

// A file of a new name beside `target`, and that name. Whoever works on the same folder at the same
// time gets another name.
int create_beside(const std::filesystem::path& path, const std::filesystem::path& target,
                  std::filesystem::path& name) {
  const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
  const std::string prefix = ".modmem-" + std::to_string(::getpid()) + "-";
  for (int attempt = 0; attempt < kMaxNameAttempts; ++attempt) {
    name = folder / (prefix + std::to_string(attempt) + ".part");
    const int number = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kNewFileMode);
    if (number >= 0) {
      return number;
    }
    if (errno != EEXIST) {
      break;
    }
  }
  fail_audio(path, "cannot be written", errno);
}

}  // namespace

std::filesystem::path end_of_links(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // as many as Linux follows
  std::error_code error;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(path, error); ++i) {
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
  }
  return path;
}

TemporaryFile::TemporaryFile(const std::filesystem::path& path)
    : path_(path), target_(replaceable(path)), descriptor_(create_beside(path_, target_, name_)) {}

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) {
    std::error_code ignored;
    std::filesystem::remove(name_, ignored);
  }
}

void TemporaryFile::keep() {
  if (::rename(name_.c_str(), target_.c_str()) != 0) {
    fail_audio(path_, "cannot be written", errno);
  }
  name_.clear();
}

}  // namespace modmem::testbench
