// The conformance suite that every heap passes, through the one interface modmem::Heap.
//
// A heap under test is a HeapFixture: the heap, on a world of its own. A HeapCase names one and
// says what the heap promises beyond heap/heap.hpp. A new heap enters the suite with a fixture of a
// few lines and a line in heap_cases() (heap/heap_conformance_test.cpp).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "heap/heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"

namespace modmem {

class HeapFixture {
 public:
  virtual ~HeapFixture() = default;
  virtual Heap& heap() = 0;
  virtual HeapWorld& world() = 0;
  // All that a failed call has to leave as it was.
  virtual WorldState state() = 0;
  // Ends the heap: everything goes back.
  virtual void close() = 0;
};

struct HeapTraits {
  bool exact = true;             // a block is its size, rounded up to the granule
  bool joins = true;             // holes side by side are one hole, which blocks may grow into
  bool one_piece = true;         // one block can have all the memory that the heap may have
  bool elastic = true;           // frames come and go with the blocks; else all are held throughout
  std::uint32_t kept_pages = 0;  // empty pages that an elastic heap may keep mapped
};

struct HeapCase {
  const char* name;
  HeapTraits traits;
  std::unique_ptr<HeapFixture> (*make)(PortKind);
};

inline std::ostream& operator<<(std::ostream& out, const HeapCase& heap_case) {
  return out << heap_case.name;
}

// Every heap there is.
const std::vector<HeapCase>& heap_cases();

class HeapConformance : public ::testing::TestWithParam<HeapCase> {
 protected:
  HeapConformance() : fixture(GetParam().make(PortKind::host)), model(heap()) {}

  Heap& heap() { return fixture->heap(); }
  HeapWorld& world() { return fixture->world(); }
  const HeapTraits& traits() const { return GetParam().traits; }

  // True where all invariants hold, to the bottom.
  bool sound() {
    model.check_cheap();
    return heap().check(CheckDepth::deep) && world().check();
  }

  // Allocates blocks of `bytes` until no more fits.
  void fill(std::size_t bytes) {
    while (model.allocate(bytes, 1)) {
    }
  }

  // Ends every second block, in the order of addresses.
  void free_every_second() {
    std::vector<std::byte*> pointers;
    for (std::size_t i = 0; i < model.size(); ++i) {
      pointers.push_back(model[i].pointer);
    }
    std::sort(pointers.begin(), pointers.end());
    for (std::size_t i = 1; i < pointers.size(); i += 2) {
      free_at(pointers[i]);
    }
  }
  void free_at(const std::byte* pointer) {
    for (std::size_t i = 0; i < model.size(); ++i) {
      if (model[i].pointer == pointer) {
        model.free(i);
        return;
      }
    }
    FAIL() << "no such block";
  }

  // Pages that hold a part of a live block, from the model alone.
  std::uint32_t pages_in_use() {
    std::vector<bool> used(world().window_pages(), false);
    for (std::size_t i = 0; i < model.size(); ++i) {
      const std::byte* last = model[i].pointer + model[i].usable - 1;
      for (std::uint32_t page = *world().space().page_of(model[i].pointer);
           page <= *world().space().page_of(last); ++page) {
        used[page] = true;
      }
    }
    return static_cast<std::uint32_t>(std::count(used.begin(), used.end(), true));
  }

  std::unique_ptr<HeapFixture> fixture;
  HeapModel model;
};

}  // namespace modmem
