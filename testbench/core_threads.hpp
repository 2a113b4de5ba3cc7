// CoreThreads: a thread for each simulated core, so that what runs on different cores does so at
// the same time.
//
// Core 0 is the thread that owns the object and calls it; every other core has a thread of its own,
// which waits until it is asked. A call returns when all that it asked for is done: what was done
// before it is seen on every core, and what the cores did is seen after it. What is thrown on a
// core comes back to the caller.
//
// Cost: a call wakes each core that it asks once, and is woken by each that it has to wait for. A
// period is some microseconds of work, so who waits looks for its turn, offering the CPU to others,
// for a millisecond or so before it sleeps. One caller at a time.
//
// Where cores take turns (CoreTurns), they do what they are asked one after another, and core 0 has
// its turn again when a call returns.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "testbench/core_turns.hpp"

namespace modmem::testbench {

class CoreThreads {
 public:
  using Work = std::function<void(std::uint32_t core)>;

  // Threads for those of `cores` that are not 0, each of which is named once. `turns`, which must
  // outlive it: they take turns. Throws InputError where the system has none left.
  explicit CoreThreads(const std::vector<std::uint32_t>& cores, CoreTurns* turns = nullptr);
  ~CoreThreads();
  CoreThreads(const CoreThreads&) = delete;
  CoreThreads& operator=(const CoreThreads&) = delete;

  // Runs `work` on `core`, which is 0 or has a thread, and throws what it throws.
  void run_on(std::uint32_t core, const Work& work);

  // Runs `work` on each of `cores`, which are 0 or have a thread, all at the same time, or in turns
  // in whatever order. Where some
  // throw, throws what the first of them threw, when all are done. No allocation but what `work`
  // does.
  void run_on_each(const std::vector<std::uint32_t>& cores, const Work& work);

 private:
  struct Worker {
    std::uint32_t core = 0;
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> asked{false};  // until it is answered; changes under the mutex
    const Work* work = nullptr;      // nullptr: end
    std::exception_ptr error;
    std::thread thread;
  };

  void end();
  std::exception_ptr run_turn(std::uint32_t core, const Work& work);
  void run_in_turns(const std::vector<std::uint32_t>& cores, const Work& work);
  Worker* worker_of(std::uint32_t core);
  static void ask(Worker& worker, const Work* work);
  static bool turns(const Worker& worker, bool asked);
  static void await(Worker& worker);
  static void serve(Worker& worker);

  CoreTurns* turns_;
  std::vector<std::uint32_t> waiting_;  // for their turns, in the call that is under way
  std::deque<Worker> workers_;
};

}  // namespace modmem::testbench
