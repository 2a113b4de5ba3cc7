#include "testbench/core_threads.hpp"

#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "port/host/host_port.hpp"
#include "testbench/input_error.hpp"

namespace modmem::testbench {

CoreThreads::CoreThreads(const std::vector<std::uint32_t>& cores, CoreTurns* turns)
    : turns_(turns) {
  waiting_.reserve(cores.size());
  for (const std::uint32_t core : cores) {
    if (core != 0) {
      Worker& worker = workers_.emplace_back();
      worker.core = core;
      try {
        worker.thread = std::thread([&worker] { serve(worker); });
      } catch (const std::system_error& error) {
        workers_.pop_back();
        end();
        throw InputError("core " + std::to_string(core) +
                         ": a thread for it can't be started: " + error.code().message());
      }
    }
  }
}

CoreThreads::~CoreThreads() { end(); }

// Ends the threads that were started.
void CoreThreads::end() {
  for (Worker& worker : workers_) {
    ask(worker, nullptr);
    worker.thread.join();
  }
}

// nullptr for core 0.
CoreThreads::Worker* CoreThreads::worker_of(std::uint32_t core) {
  for (Worker& worker : workers_) {
    if (worker.core == core) {
      return &worker;
    }
  }
  return nullptr;
}

// Gives the core a turn; returns what is thrown in it.
std::exception_ptr CoreThreads::run_turn(std::uint32_t core, const Work& work) {
  turns_->begin_turn(core);
  if (Worker* worker = worker_of(core)) {
    ask(*worker, &work);
    await(*worker);
    return std::exchange(worker->error, nullptr);
  }
  try {
    work(0);
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

void CoreThreads::run_in_turns(const std::vector<std::uint32_t>& cores, const Work& work) {
  waiting_.assign(cores.begin(), cores.end());
  std::exception_ptr error;
  while (!waiting_.empty()) {
    const std::uint32_t next = turns_->pick(static_cast<std::uint32_t>(waiting_.size()));
    const std::uint32_t core = std::exchange(waiting_[next], waiting_.back());
    waiting_.pop_back();
    if (std::exception_ptr its = run_turn(core, work); its && !error) {
      error = std::move(its);
    }
  }
  turns_->begin_turn(0);
  if (error) {
    std::rethrow_exception(error);
  }
}

void CoreThreads::run_on(std::uint32_t core, const Work& work) {
  if (turns_ != nullptr) {
    run_in_turns({core}, work);
    return;
  }
  Worker* worker = worker_of(core);
  if (worker == nullptr) {
    work(0);
    return;
  }
  ask(*worker, &work);
  await(*worker);
  if (worker->error) {
    std::rethrow_exception(std::exchange(worker->error, nullptr));
  }
}

void CoreThreads::run_on_each(const std::vector<std::uint32_t>& cores, const Work& work) {
  if (turns_ != nullptr) {
    run_in_turns(cores, work);
    return;
  }
  for (const std::uint32_t core : cores) {
    if (Worker* worker = worker_of(core)) {
      ask(*worker, &work);
    }
  }
  std::exception_ptr error;
  for (const std::uint32_t core : cores) {
    if (core == 0) {
      try {
        work(0);
      } catch (...) {
        error = std::current_exception();
      }
    }
  }
  for (const std::uint32_t core : cores) {
    if (Worker* worker = worker_of(core)) {
      await(*worker);
      if (std::exception_ptr its = std::exchange(worker->error, nullptr); its && !error) {
        error = std::move(its);
      }
    }
  }
  if (error) {
    std::rethrow_exception(error);
  }
}

void CoreThreads::ask(Worker& worker, const Work* work) {
  {
    const std::lock_guard lock(worker.mutex);
    worker.work = work;
    worker.asked = true;
  }
  worker.changed.notify_one();
}

// Whether `asked` becomes so while the calling thread looks, which is faster than to sleep and be
// woken: by far, where a CPU that has nothing to do is slow to wake. The CPU is offered to others
// all the while. Where they keep it, it is better to sleep for some time to come.
bool CoreThreads::turns(const Worker& worker, bool asked) {
  constexpr int kOffers = 2000;
  constexpr int kLooks = 100;  // about 200 ns
  constexpr int kTimed = 4;    // offers between two looks at the clock
  constexpr int kSleeps = 5000;
  constexpr std::chrono::microseconds kLong(300);
  thread_local int sleeps = 0;
  const int offers = sleeps > 0 ? 0 : kOffers;
  sleeps -= sleeps > 0 ? 1 : 0;
  std::chrono::steady_clock::time_point before;
  for (int offer = 0;; ++offer) {
    for (int look = 0; look < kLooks; ++look) {
      if (worker.asked.load(std::memory_order_acquire) == asked) {
        return true;
      }
    }
    if (offer >= offers) {
      return false;
    }
    if (offer % kTimed == 0) {
      const auto now = std::chrono::steady_clock::now();
      if (offer != 0 && now - before > kLong) {
        sleeps = kSleeps;
        return false;
      }
      before = now;
    }
    std::this_thread::yield();
  }
}

void CoreThreads::await(Worker& worker) {
  if (!turns(worker, false)) {
    std::unique_lock lock(worker.mutex);
    worker.changed.wait(lock, [&] { return !worker.asked.load(); });
  }
}

void CoreThreads::serve(Worker& worker) {
  set_host_core(worker.core);
  while (true) {
    if (!turns(worker, true)) {
      std::unique_lock lock(worker.mutex);
      worker.changed.wait(lock, [&] { return worker.asked.load(); });
    }
    if (worker.work == nullptr) {
      return;
    }
    try {
      (*worker.work)(worker.core);
    } catch (...) {
      worker.error = std::current_exception();
    }
    {
      const std::lock_guard lock(worker.mutex);
      worker.asked = false;
    }
    worker.changed.notify_one();
  }
}

}  // namespace modmem::testbench
