// NamedFiles: the files of a command line, no one of which may be written while it is another one.
//
// What is only found out by writing costs the user a file. So a command names all that it reads
// and writes here before it opens the first to write. "-", pipes and devices may be named as often
// as one likes. Cost: O(files) for each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace modmem::tools {

class NamedFiles {
 public:
  // `path`, which `option` names, is read: a file, or a trace, which is a directory.
  void reads(const std::string& option, const std::string& path);
  // It is written: a file, or a directory for files of any name.
  void writes(const std::string& option, const std::string& path);
  // It is written, and is a trace.
  void writes_trace(const std::string& option, const std::string& path);

  // Each throws InputError where one that is written is the same as another, or lies in a trace:
  // whatever is in there is read as a part of it.

  static bool are_same(const std::string& a, const std::string& b);

 private:
  struct Named {
    std::string option;
    std::string path;
    bool written = false;
    bool trace = false;
  };

  void add(Named file);

  std::vector<Named> files_;
};

// What `option` names, each of which is read.
NamedFiles name_files(const std::string& option, const std::vector<std::string>& paths);

}  // namespace modmem::tools
