# The kinds of target, so that a layer's CMakeLists.txt says only what it consists of:
#
#   modmem_freestanding_library(NAME [SOURCES file...] [DEPS target...])
#   modmem_c_library(NAME [SOURCES file...] [DEPS target...])
#   modmem_library(NAME [SOURCES file...] [DEPS target...])
#   modmem_test(NAME SOURCES file... [DEPS target...] [LABELS label...] [TIMEOUT seconds]
#               [RAPIDCHECK] [ARGS argument...])
#   modmem_loadable_module(NAME SOURCES file... [DEPS target...] [DEFINITIONS definition...])
#
# All but loadable modules are C++20 with warnings as errors and include from the repository root and
# from the folder of generated headers. A library without sources is header-only.

# What every target of the project is compiled with. MODMEM_CHECKS is 1 where invariants are
# checked, else 0; modmem::config::kChecksLevel has the level.
add_library(modmem_build INTERFACE)
target_compile_features(modmem_build INTERFACE cxx_std_20)
target_include_directories(modmem_build INTERFACE "${PROJECT_SOURCE_DIR}" "${MODMEM_GENERATED_DIR}")
# Call sites in reports are paths within the repository. Nobody reads errno after arithmetic, which
# lets rounding be an instruction instead of a call.
target_compile_options(modmem_build INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
  -fno-math-errno "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
target_compile_definitions(modmem_build INTERFACE
  MODMEM_CHECKS=$<BOOL:${MODMEM_CONFIG_CHECKS_LEVEL}>)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Any of the libraries may become part of a shared one.
if(NOT MODMEM_FIRMWARE)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
# Debug builds run millions of operations with invariants checked: optimise what a debugger can
# still follow.
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
set(CMAKE_C_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

if(MODMEM_SANITIZE)
  # The checks of vptr and (clang's) of called functions need type information, which freestanding
  # code does without.
  add_compile_options(-fsanitize=${MODMEM_SANITIZE} -fno-sanitize-recover=all -fno-sanitize=vptr
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=function> -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MODMEM_SANITIZE})
endif()

# Both engines see which branches an input takes. afl-clang-fast counts them unasked.
if(MODMEM_FUZZ STREQUAL "libfuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link)
elseif(MODMEM_FUZZ AND NOT MODMEM_FUZZ STREQUAL "afl")
  message(FATAL_ERROR "MODMEM_FUZZ is libfuzzer, afl or empty, not ${MODMEM_FUZZ}")
endif()

if(MODMEM_COVERAGE)
  # Several threads count, and several programs add up in one file.
  add_compile_options(--coverage -fprofile-update=atomic -fprofile-abs-path)
  add_link_options(--coverage)
endif()

# Adds library NAME; sets `scope` in the caller to what its usage requirements are (PUBLIC, or
# INTERFACE where it is header-only).
function(modmem_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unexpected arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_SOURCES)
    set(scope PUBLIC)
    add_library(${name} STATIC ${arg_SOURCES})
  else()
    set(scope INTERFACE)
    add_library(${name} INTERFACE)
  endif()
  target_link_libraries(${name} ${scope} modmem_build ${arg_DEPS})
  set(scope ${scope} PARENT_SCOPE)
endfunction()

# A library of ordinary, hosted C++20.
function(modmem_library name)
  modmem_add_library(${name} ${ARGN})
endfunction()

# A library of freestanding C++20: no exceptions, no run-time type information, no guards around
# static locals, and only the freestanding headers. scripts/check_freestanding.py checks what it
# refers to.
function(modmem_freestanding_library name)
  modmem_add_library(${name} ${ARGN})
  if(scope STREQUAL "PUBLIC")
    target_compile_options(${name} PRIVATE
      -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics)
    # On a host, reports walk the stack through these functions.
    if(NOT CMAKE_CROSSCOMPILING)
      target_compile_options(${name} PRIVATE -fasynchronous-unwind-tables)
    endif()
    set_property(GLOBAL APPEND PROPERTY MODMEM_FREESTANDING_LIBRARIES ${name})
  endif()
endfunction()

# A library of C++20 that programs without the C++ library can link: it may call the C library, and
# has neither exceptions, run-time type information nor guards around static locals.
# scripts/check_freestanding.py checks what it refers to.
function(modmem_c_library name)
  modmem_add_library(${name} ${ARGN})
  target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti -fno-threadsafe-statics)
  set_property(GLOBAL APPEND PROPERTY MODMEM_C_LIBRARIES ${name})
endfunction()

# A GoogleTest program, run by CTest as one test of the same name. RAPIDCHECK links rapidcheck;
# ARGS are passed to the program. Tests with the label `threads` are those that ThreadSanitizer is
# to see: the target thread-tests builds them. Does nothing where tests are off.
function(modmem_test name)
  if(NOT MODMEM_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "RAPIDCHECK" "TIMEOUT" "SOURCES;DEPS;LABELS;ARGS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unexpected arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE modmem_build ${arg_DEPS} GTest::gtest_main)
  if(arg_RAPIDCHECK)
    target_link_libraries(${name} PRIVATE rapidcheck)
  endif()
  if("threads" IN_LIST arg_LABELS)
    if(NOT TARGET thread-tests)
      add_custom_target(thread-tests)
    endif()
    add_dependencies(thread-tests ${name})
  endif()
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${arg_TIMEOUT}
    LABELS "${arg_LABELS}"
    ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# A module in C that the testbench loads (docs/modules.md): the shared object libNAME.so, in
# ${CMAKE_CURRENT_BINARY_DIR}. It sees the public headers and links nothing of ours.
function(modmem_loadable_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;DEFINITIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unexpected arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} MODULE ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/capi/include")
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  set_target_properties(${name} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
endfunction()
