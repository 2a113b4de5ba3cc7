// What clang refers to of the C++ library in classes with virtual functions, so that C programs
// link without that. Where a program has the library, its own definition wins.

#include "capi/hooks.hpp"

// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): as compilers know it
extern "C" __attribute__((weak)) void __cxa_pure_virtual() { modmem::panic(); }
