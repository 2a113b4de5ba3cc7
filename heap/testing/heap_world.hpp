// HeapWorld: everything that a heap stands on, set up for a test.
//
// WorldState is a copy of all of its state and of a heap's, to show that a call changed nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "heap/heap.hpp"
#include "heap/page_descriptor.hpp"
#include "page/metadata_store.hpp"
#include "page/testing/page_world.hpp"

namespace modmem {

// A PageWorld with a store of descriptors.
class HeapWorld : public PageWorld {
 public:
  static constexpr HeapId kMetadataHeap{0xfd};

  HeapWorld(const PlatformConfig& config, PortKind kind) : PageWorld(config, kind) {
    if (!heap_.boot(space(), kMetadataHeap, metadata_, config.metadata_bytes, arena())) {
      std::abort();
    }
    descriptors_.boot(heap_);
  }

  MetadataStore<PageDescriptor>& descriptors() { return descriptors_; }
  PageAccount& metadata() { return metadata_; }
  bool check() const { return PageWorld::check() && heap_.check() && descriptors_.check(); }

 private:
  PageAccount metadata_;
  MetadataHeap heap_;
  MetadataStore<PageDescriptor> descriptors_;
};

// All that can be seen of the world, and of one heap. Peaks are left out: they are history.
class WorldState {
 public:
  // `owns_page` tells which pages are the heap's, mapped or not.
  template <typename OwnsPage>
  WorldState(HeapWorld& world, const Heap& heap, const PageAccount& account, OwnsPage owns_page) {
    const PagePool& pool = world.pool();
    AddressSpace& space = world.space();
    const HeapStats stats = heap.stats();
    numbers_ = {pool.taken(),
                pool.reserved(),
                pool.banks_on(),
                space.mapped_pages(),
                space.largest_gap(),
                world.descriptors().live(),
                world.descriptors().free(),
                world.descriptors().pages(),
                world.metadata().held,
                stats.occupied_bytes,
                stats.mapped_bytes,
                stats.live_blocks,
                account.held,
                account.guarantee,
                heap.free_bytes()};
    for (std::uint32_t bank = 0; bank < pool.banks(); ++bank) {
      banks_ += pool.is_powered(Bank{static_cast<std::uint16_t>(bank)}) ? '1' : '0';
    }
    for (std::uint32_t page = 0; page < space.window_pages(); ++page) {
      pages_ += static_cast<char>('0' + (space.is_mapped(page) ? 1 : 0) +
                                  (space.is_busy(page) ? 2 : 0) + (owns_page(page) ? 4 : 0));
    }
    for (std::uint32_t number = 0; number < pool.frames(); ++number) {
      const auto frame = static_cast<std::uint16_t>(number);
      FrameInfo info = space.frame_info(frame);
      if (info.largest_hole == 0) {
        info.bin_next = info.bin_prev = FrameInfo::kNone;  // in no bin: links without a meaning
      }
      if (info.page == FrameInfo::kNone) {
        info.heap = kNoHeap;  // whose it was is no state
      }
      frames_.push_back(info);
      taken_ += pool.is_taken(Frame{frame}) ? 'x' : '.';
      if (info.heap != kNoHeap && info.heap != HeapWorld::kMetadataHeap &&
          info.descriptor != FrameInfo::kNone) {
        descriptors_.push_back(world.descriptors()[info.descriptor]);
      }
    }
  }
  // Of a heap that knows its account and its pages.
  template <typename HeapType>
  WorldState(HeapWorld& world, const HeapType& heap)
      : WorldState(world, heap, heap.account(),
                   [&heap](std::uint32_t page) { return heap.owns_page(page); }) {}

  // What differs first between the two, "" where nothing does.
  std::string difference(const WorldState& other) const {
    static constexpr const char* kNames[] = {
        "frames taken",          "frames reserved",     "banks on",
        "mapped pages",          "largest gap",         "live descriptors",
        "free descriptors",      "descriptor pages",    "metadata's frames",
        "heap's occupied bytes", "heap's mapped bytes", "heap's live blocks",
        "account's frames",      "account's guarantee", "heap's free bytes"};
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      if (numbers_[i] != other.numbers_[i]) {
        return std::string(kNames[i]) + ": " + std::to_string(numbers_[i]) + " and " +
               std::to_string(other.numbers_[i]);
      }
    }
    if (banks_ != other.banks_) {
      return "power of banks";
    }
    if (taken_ != other.taken_) {
      return "which frames are taken";
    }
    if (pages_ != other.pages_) {
      return "what is mapped, busy or owned";
    }
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      if (std::memcmp(&frames_[i], &other.frames_[i], sizeof(FrameInfo)) != 0) {
        return "notes of frame " + std::to_string(i);
      }
    }
    // memcmp() takes no null pointers, which empty vectors have.
    const std::size_t bytes = descriptors_.size() * sizeof(PageDescriptor);
    const bool same =
        descriptors_.size() == other.descriptors_.size() &&
        (bytes == 0 || std::memcmp(descriptors_.data(), other.descriptors_.data(), bytes) == 0);
    return same ? "" : "descriptors";
  }
  // All of it as a text, the same for equal states only.
  std::string text() const {
    std::string text = banks_ + taken_ + pages_;
    for (const std::size_t each : numbers_) {
      text += ' ' + std::to_string(each);
    }
    for (const FrameInfo& each : frames_) {
      text.append(reinterpret_cast<const char*>(&each), sizeof(each));
    }
    for (const PageDescriptor& each : descriptors_) {
      text.append(reinterpret_cast<const char*>(&each), sizeof(each));
    }
    return text;
  }
  bool operator==(const WorldState& other) const { return difference(other).empty(); }

 private:
  std::vector<std::size_t> numbers_;
  std::string banks_;
  std::string taken_;
  std::string pages_;
  std::vector<FrameInfo> frames_;
  std::vector<PageDescriptor> descriptors_;
};

}  // namespace modmem
