#include "tools/report_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::tools {

namespace {

[[noreturn]] void fail(const std::string& path) {
  throw testbench::InputError(
      path + ": can't write the report: " + std::generic_category().message(errno));
}

// A pipe, a terminal or another device.
bool is_special(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
         !std::filesystem::is_directory(status);
}

}  // namespace

void write_text(std::FILE* stream, const std::string& name, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stream) != text.size() || std::fflush(stream) != 0) {
    fail(name);
  }
}

ReportFile::ReportFile(const std::string& path) : path_(path) {
  if (is_standard_output()) {
    return;
  }
  int descriptor = -1;
  if (is_special(path)) {
    descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    temporary_.emplace(path);
    descriptor = ::fcntl(temporary_->descriptor(), F_DUPFD_CLOEXEC, 0);
  }
  if (descriptor < 0) {
    fail(path_);
  }
  stream_.reset(::fdopen(descriptor, "w"));
  if (stream_ == nullptr) {
    fail(path_);
  }
}

void ReportFile::write(const std::string& text) {
  append(text);
  finish();
}

void ReportFile::append(const std::string& text) {
  if (is_standard_output()) {
    write_text(stdout, "standard output", text);
  } else {
    write_text(stream_.get(), path_, text);
  }
}

void ReportFile::finish() {
  if (is_standard_output()) {
    return;
  }
  if (std::fclose(stream_.release()) != 0) {
    fail(path_);
  }
  if (temporary_) {
    temporary_->keep();
  }
}

}  // namespace modmem::tools
