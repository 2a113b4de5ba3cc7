#include "testbench/core_threads.hpp"

#include <utility>

#include "port/host/host_port.hpp"

namespace modmem::testbench {

CoreThreads::CoreThreads(const std::vector<std::uint32_t>& cores) {
  for (const std::uint32_t core : cores) {
    if (core != 0) {
      Worker& worker = workers_.emplace_back();
      worker.core = core;
      worker.thread = std::thread([&worker] { serve(worker); });
    }
  }
}

CoreThreads::~CoreThreads() {
  for (Worker& worker : workers_) {
    ask(worker, nullptr);
    worker.thread.join();
  }
}

void CoreThreads::run_on(std::uint32_t core, const Work& work) {
  if (core == 0) {
    work(0);
    return;
  }
  for (Worker& worker : workers_) {
    if (worker.core == core) {
      ask(worker, &work);
      await(worker);
      if (worker.error) {
        std::rethrow_exception(std::exchange(worker.error, nullptr));
      }
    }
  }
}

void CoreThreads::run_on_all(const Work& work) {
  for (Worker& worker : workers_) {
    ask(worker, &work);
  }
  std::exception_ptr error;
  try {
    work(0);
  } catch (...) {
    error = std::current_exception();
  }
  for (Worker& worker : workers_) {
    await(worker);
    if (std::exception_ptr its = std::exchange(worker.error, nullptr); its && !error) {
      error = std::move(its);
    }
  }
  if (error) {
    std::rethrow_exception(error);
  }
}

void CoreThreads::ask(Worker& worker, const Work* work) {
  worker.work = work;
  worker.asked.fetch_add(1, std::memory_order_release);
  worker.asked.notify_one();
}

void CoreThreads::await(Worker& worker) {
  const std::uint32_t due = worker.asked.load(std::memory_order_relaxed);
  for (std::uint32_t seen = worker.answered.load(std::memory_order_acquire); seen != due;
       seen = worker.answered.load(std::memory_order_acquire)) {
    worker.answered.wait(seen, std::memory_order_acquire);
  }
}

void CoreThreads::serve(Worker& worker) {
  set_host_core(worker.core);
  for (std::uint32_t served = 0;;) {
    worker.asked.wait(served, std::memory_order_acquire);
    served = worker.asked.load(std::memory_order_acquire);
    if (worker.work == nullptr) {
      return;
    }
    try {
      (*worker.work)(worker.core);
    } catch (...) {
      worker.error = std::current_exception();
    }
    worker.answered.store(served, std::memory_order_release);
    worker.answered.notify_one();
  }
}

}  // namespace modmem::testbench
