// The concept that the class of a port fulfils, one requirement for each function of port/port.hpp.
//
// A class that lacks a function is abstract, and one whose function has other types hides Port's
// instead of overriding it. Either comes to light where the first object is made, in many words. A
// port that ends its header with
//
//   MODMEM_ASSERT_PORT(MyPort);
//
// is told there, by name:
//
//   error: static assertion failed: a port overrides, in public: bool map(Page page, Frame frame)
//
// Nothing of this is in the program.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "port/port.hpp"

namespace modmem::port_concept {

// Whether P or a class between it and Port defines `function`, of whatever types. The type of a
// pointer to a member tells whose it is.
#define MODMEM_DEFINES(P, function) \
  (!std::same_as<decltype(&P::function), decltype(&Port::function)>)

template <typename P>
concept Window = requires(const P& port) {
  { port.window() } -> std::same_as<std::byte*>;
  requires MODMEM_DEFINES(P, window);
};

template <typename P>
concept AliasOffset = requires(const P& port) {
  { port.alias_offset() } -> std::same_as<std::ptrdiff_t>;
  requires MODMEM_DEFINES(P, alias_offset);
};

template <typename P>
concept Map = requires(P& port, Page page, Frame frame) {
  { port.map(page, frame) } -> std::same_as<bool>;
  requires MODMEM_DEFINES(P, map);
};

template <typename P>
concept Unmap = requires(P& port, Page page) {
  { port.unmap(page) } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, unmap);
};

template <typename P>
concept Remap = requires(P& port, Page page, Frame frame) {
  { port.remap(page, frame, frame) } -> std::same_as<bool>;
};

// Who can close pages says so, and who says so can.
template <typename P>
concept SetAccess = requires(P& port, const P& same, Page page, Access access) {
  { same.can_close_pages() } -> std::same_as<bool>;
  { port.set_access(page, access) } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, can_close_pages)
  == MODMEM_DEFINES(P, set_access);
};

template <typename P>
concept SetWritable = requires(P& port, std::byte* start, std::size_t bytes, bool writable) {
  { port.set_writable(start, bytes, writable) } -> std::same_as<void>;
};

template <typename P>
concept SetBankPower = requires(P& port, Bank bank, bool on) {
  { port.set_bank_power(bank, on) } -> std::same_as<bool>;
  requires MODMEM_DEFINES(P, set_bank_power);
};

template <typename P>
concept CacheWriteback = requires(P& port, std::byte* address, std::size_t bytes) {
  { port.cache_writeback(address, bytes) } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, cache_writeback);
};

template <typename P>
concept CacheInvalidate = requires(P& port, std::byte* address, std::size_t bytes) {
  { port.cache_invalidate(address, bytes) } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, cache_invalidate);
};

template <typename P>
concept Lock = requires(P& port) {
  { port.lock() } -> std::same_as<void>;
  { port.unlock() } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, lock) && MODMEM_DEFINES(P, unlock);
};

template <typename P>
concept ThreadId = requires(const P& port) {
  { port.thread_id() } -> std::same_as<std::uintptr_t>;
  requires MODMEM_DEFINES(P, thread_id);
};

template <typename P>
concept CoreId = requires(const P& port) {
  { port.core_id() } -> std::same_as<std::uint32_t>;
  requires MODMEM_DEFINES(P, core_id);
};

template <typename P>
concept OnAudioPath = requires(const P& port) {
  { port.on_audio_path() } -> std::same_as<bool>;
  requires MODMEM_DEFINES(P, on_audio_path);
};

template <typename P>
concept TimeUs = requires(const P& port) {
  { port.time_us() } -> std::same_as<std::uint64_t>;
  requires MODMEM_DEFINES(P, time_us);
};

template <typename P>
concept Log = requires(P& port, LogLevel level, const char* line) {
  { port.log(level, line) } -> std::same_as<void>;
  requires MODMEM_DEFINES(P, log);
};

template <typename P>
concept SideMemories = requires(P& port) {
  { port.low_power() } -> std::same_as<Port*>;
  { port.l3() } -> std::same_as<Port*>;
};

template <typename P>
concept Blocks = requires(P& port) {
  { port.blocks() } -> std::same_as<BlockView*>;
};

#undef MODMEM_DEFINES

}  // namespace modmem::port_concept

namespace modmem {

// A class whose objects Memory::boot() takes.
template <typename P>
concept PortClass =
    std::derived_from<P, Port> && !std::is_abstract_v<P> && port_concept::Window<P> &&
    port_concept::AliasOffset<P> && port_concept::Map<P> && port_concept::Unmap<P> &&
    port_concept::Remap<P> && port_concept::SetAccess<P> && port_concept::SetBankPower<P> &&
    port_concept::CacheWriteback<P> && port_concept::CacheInvalidate<P> && port_concept::Lock<P> &&
    port_concept::ThreadId<P> && port_concept::CoreId<P> && port_concept::OnAudioPath<P> &&
    port_concept::TimeUs<P> && port_concept::Log<P> && port_concept::SideMemories<P> &&
    port_concept::Blocks<P>;

}  // namespace modmem

// Does not compile, and says what is missing, where P is no PortClass.
#define MODMEM_PORT_OVERRIDES(P, Function, signature) \
  static_assert(::modmem::port_concept::Function<P>, "a port overrides, in public: " signature)
#define MODMEM_PORT_MAY_OVERRIDE(P, Function, signature) \
  static_assert(::modmem::port_concept::Function<P>,     \
                "a port may override, in public, but "   \
                "with these types: " signature)
#define MODMEM_ASSERT_PORT(P)                                                                      \
  static_assert(std::derived_from<P, ::modmem::Port>, "a port derives from modmem::Port");         \
  MODMEM_PORT_OVERRIDES(P, Window, "std::byte* window() const");                                   \
  MODMEM_PORT_OVERRIDES(P, AliasOffset, "std::ptrdiff_t alias_offset() const");                    \
  MODMEM_PORT_OVERRIDES(P, Map, "bool map(Page page, Frame frame)");                               \
  MODMEM_PORT_OVERRIDES(P, Unmap, "void unmap(Page page)");                                        \
  MODMEM_PORT_MAY_OVERRIDE(P, Remap, "bool remap(Page page, Frame from, Frame to)");               \
  MODMEM_PORT_MAY_OVERRIDE(                                                                        \
      P, SetAccess, "bool can_close_pages() const and void set_access(Page page, Access access)"); \
  MODMEM_PORT_MAY_OVERRIDE(                                                                        \
      P, SetWritable, "void set_writable(std::byte* start, std::size_t bytes, bool writable)");    \
  MODMEM_PORT_OVERRIDES(P, SetBankPower, "bool set_bank_power(Bank bank, bool on)");               \
  MODMEM_PORT_OVERRIDES(P, CacheWriteback,                                                         \
                        "void cache_writeback(std::byte* address, std::size_t bytes)");            \
  MODMEM_PORT_OVERRIDES(P, CacheInvalidate,                                                        \
                        "void cache_invalidate(std::byte* address, std::size_t bytes)");           \
  MODMEM_PORT_OVERRIDES(P, Lock, "void lock() and void unlock()");                                 \
  MODMEM_PORT_OVERRIDES(P, ThreadId, "std::uintptr_t thread_id() const");                          \
  MODMEM_PORT_OVERRIDES(P, CoreId, "std::uint32_t core_id() const");                               \
  MODMEM_PORT_OVERRIDES(P, OnAudioPath, "bool on_audio_path() const");                             \
  MODMEM_PORT_OVERRIDES(P, TimeUs, "std::uint64_t time_us() const");                               \
  MODMEM_PORT_OVERRIDES(P, Log, "void log(LogLevel level, const char* line)");                     \
  MODMEM_PORT_MAY_OVERRIDE(P, SideMemories, "Port* low_power() and Port* l3()");                   \
  MODMEM_PORT_MAY_OVERRIDE(P, Blocks, "BlockView* blocks()");                                      \
  static_assert(::modmem::PortClass<P>, "a port has no pure virtual function of its own")
