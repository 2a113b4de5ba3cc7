// SharedObject: a file of code, loaded into this program.
//
// Its symbols are its own: another one finds none of them, while it finds those of the program
// before any of the libraries that it was linked with. What is looked at before it is loaded is
// whether the file is whole, as the system's loader dies of a file that ends too early. Whatever
// else it holds is trusted: its code runs with all rights of the program.
// Cost: reads the file's headers; loading is the system's.
#pragma once

#include <filesystem>

namespace modmem::testbench {

class SharedObject {
 public:
  // Loads `file`. Throws InputError, which names it, where it is not there, no shared object for
  // this machine, cut off, or refers to what neither it nor the program has.
  explicit SharedObject(const std::filesystem::path& file);
  // Unloads it: what its symbols point to is gone.
  ~SharedObject();
  SharedObject(SharedObject&& other) noexcept;
  SharedObject& operator=(SharedObject&&) = delete;

  // What the file defines as `name`, nullptr where it does not.
  const void* find(const char* name) const;

 private:
  void* handle_ = nullptr;
};

}  // namespace modmem::testbench
