#include "testbench/modules/call_site.hpp"

#include <dlfcn.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>

namespace modmem::testbench {

namespace {

// Where the objects of modules start; nullptr where there is none.
std::array<std::atomic<const void*>, kMostModuleFiles> files{};

const void* object_of(const void* address) {
  dl_find_object object;
  const bool found = _dl_find_object(const_cast<void*>(address), &object) == 0;
  return found ? object.dlfo_map_start : nullptr;
}

_Unwind_Reason_Code look_at(_Unwind_Context* frame, void* result) {
  auto& found = *static_cast<CallSite*>(result);
  const auto* code = reinterpret_cast<const void*>(_Unwind_GetIP(frame));
  if (is_module_code(code)) {
    found.site = code;
    return _URC_END_OF_STACK;
  }
  found.function = code;
  return _URC_NO_REASON;
}

}  // namespace

void note_module_file(const void* symbol) {
  const void* object = object_of(symbol);
  for (std::atomic<const void*>& file : files) {
    if (file.load(std::memory_order_relaxed) == nullptr) {
      file.store(object, std::memory_order_release);
      return;
    }
  }
}

void forget_module_file(const void* symbol) {
  const void* object = object_of(symbol);
  for (std::atomic<const void*>& file : files) {
    if (object != nullptr && file.load(std::memory_order_relaxed) == object) {
      file.store(nullptr, std::memory_order_release);
      return;
    }
  }
}

bool is_module_code(const void* address) {
  const void* object = object_of(address);
  for (const std::atomic<const void*>& file : files) {
    if (object != nullptr && file.load(std::memory_order_acquire) == object) {
      return true;
    }
  }
  return false;
}

bool is_code(const void* address) { return object_of(address) != nullptr; }

bool is_program_code(const void* address) { return object_of(address) == object_of(&files); }

std::string to_text(const Site& site) {
  if (site.line != 0) {
    return std::string(static_cast<const char*>(site.where)) + ":" + std::to_string(site.line);
  }
  char text[32];
  Dl_info info{};
  if (dladdr(site.where, &info) != 0 && info.dli_fname != nullptr) {
    const auto offset = reinterpret_cast<std::uintptr_t>(site.where) -
                        reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    std::snprintf(text, sizeof text, "+%#zx", static_cast<std::size_t>(offset));
    return std::filesystem::path(info.dli_fname).filename().string() + text;
  }
  std::snprintf(text, sizeof text, "%p", site.where);
  return text;
}

std::string name_of(const void* function) {
  Dl_info info{};
  if (function == nullptr || dladdr(function, &info) == 0 || info.dli_sname == nullptr) {
    return "";
  }
  const std::string name = info.dli_sname;
  // The only names of C++ that C modules' authors come across.
  return name.starts_with("_Zn")   ? "operator new"
         : name.starts_with("_Zd") ? "operator delete"
                                   : name;
}

CallSite module_call_site() {
  CallSite found;
  _Unwind_Backtrace(look_at, &found);
  return found.site != nullptr ? found : CallSite{};
}

}  // namespace modmem::testbench
