#include "testbench/fail_sweep.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

// What a child says: its kind, then what belongs to it.
using Message = std::vector<std::string>;

constexpr const char* kCounts = "counts";      // one for each kind
constexpr const char* kInjected = "injected";  // site, owner, bytes
constexpr const char* kDone = "done";        // how it ended, then kind, owner and text of problems
constexpr const char* kRefused = "refused";  // what InputError said

void put_number(std::string& bytes, std::size_t value) {
  const auto number = static_cast<std::uint32_t>(value);
  char raw[sizeof number];
  std::memcpy(raw, &number, sizeof number);
  bytes.append(raw, sizeof raw);
}

// Sends a message: the number of its parts, then the length and the bytes of each.
void send(int out, const Message& message) {
  std::string bytes;
  put_number(bytes, message.size());
  for (const std::string& part : message) {
    put_number(bytes, part.size());
    bytes += part;
  }
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = write(out, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR) {
      _exit(EXIT_FAILURE);  // nobody listens any more
    }
    at += written > 0 ? static_cast<std::size_t>(written) : 0;
  }
}

// A process that does `work` and sends messages meanwhile. Ends with this object.
class Child {
 public:
  explicit Child(const std::function<void(int out)>& work) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    in_ = ends[0];
    process_ = fork();
    if (process_ == 0) {
      // Not to survive who listens, and not to leave an image of each crash.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const rlimit none{0, 0};
      setrlimit(RLIMIT_CORE, &none);
      close(ends[0]);
      work(ends[1]);
      _exit(EXIT_SUCCESS);
    }
    const int error = errno;
    close(ends[1]);
    if (process_ < 0) {
      close(in_);
      throw std::system_error(error, std::generic_category(), "fork");
    }
  }

  ~Child() {
    close(in_);
    if (process_ > 0) {
      kill(process_, SIGKILL);
      wait();
    }
  }

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next message; nullopt where the child has ended. Calls `idle` now and then.
  std::optional<Message> receive(const std::function<void()>& idle) {
    for (;;) {
      if (std::optional<Message> message = take()) {
        return message;
      }
      constexpr int kIdleMs = 100;
      pollfd what{in_, POLLIN, 0};
      if (poll(&what, 1, kIdleMs) <= 0) {
        idle();
        continue;
      }
      char bytes[4096];
      const ssize_t got = read(in_, bytes, sizeof bytes);
      if (got == 0) {
        return std::nullopt;
      }
      received_.append(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
    }
  }

  // In words, how it ended by itself.
  std::string end() {
    const int status = wait();
    process_ = 0;
    if (WIFSIGNALED(status)) {
      return std::string("crashed: ") + strsignal(WTERMSIG(status));
    }
    return "ended the program with status " + std::to_string(WEXITSTATUS(status));
  }

 private:
  int wait() const {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  std::optional<std::size_t> number_at(std::size_t& at) const {
    std::uint32_t value = 0;
    if (received_.size() - at < sizeof value) {
      return std::nullopt;
    }
    std::memcpy(&value, received_.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }

  // A message that is there as a whole.
  std::optional<Message> take() {
    std::size_t at = 0;
    const std::optional<std::size_t> parts = number_at(at);
    Message message;
    for (std::size_t i = 0; parts && i < *parts; ++i) {
      const std::optional<std::size_t> size = number_at(at);
      if (!size || received_.size() - at < *size) {
        return std::nullopt;
      }
      message.push_back(received_.substr(at, *size));
      at += *size;
    }
    if (!parts) {
      return std::nullopt;
    }
    received_.erase(0, at);
    return message;
  }

  pid_t process_ = 0;
  int in_ = -1;
  std::string received_;
};

// --- in the child ---

// What a run that came to its end shows.
void judge(const RunReport& report, Injector& injector) {
  for (const ModuleReport& module : report.modules) {
    if (module.errors.count != 0) {
      injector.add(
          {ProblemKind::processing, module.name,
           "was set up, and failed to process " + std::to_string(module.errors.count) + " times"});
    }
  }
  for (const StrayNote& stray : report.strays) {
    injector.add({ProblemKind::stray_access, stray.module,
                  std::string(stray.write ? "wrote to" : "read") + " what is not its own (" +
                      stray.place + "), by code at " + stray.site});
  }
  if (report.audio_path_allocations != 0) {
    injector.add({ProblemKind::audio_path, "",
                  std::to_string(report.audio_path_allocations) +
                      " calls of the allocator while audio was processed"});
  }
}

void send_done(int out, const std::string& ended, const Injector& injector) {
  Message message{kDone, ended};
  for (const Problem& problem : injector.problems()) {
    message.push_back(std::to_string(static_cast<unsigned>(problem.kind)));
    message.push_back(problem.owner);
    message.push_back(problem.text);
  }
  send(out, message);
}

void count(const InjectedPlay& play, int out) {
  Injector injector;
  try {
    const RunReport report = play(injector);
    judge(report, injector);
    Message counts{kCounts};
    for (const FailKind kind : kFailKinds) {
      counts.push_back(std::to_string(injector.count(kind)));
    }
    send(out, counts);
    send_done(out, report.failed_step.empty() ? "played" : "out of memory: " + report.failed_step,
              injector);
  } catch (const std::exception& error) {
    send(out, {kRefused, error.what()});
  }
}

void play_with(const InjectedPlay& play, const FailedPlay& what, int out) {
  Injector injector(what.kind, what.number, [&](const Injection& injection) {
    send(out, {kInjected, injection.site, injection.owner, std::to_string(injection.bytes)});
  });
  std::string ended = "coped";
  try {
    const RunReport report = play(injector);
    judge(report, injector);
    if (!report.failed_step.empty()) {
      ended = "out of memory: " + report.failed_step;
    }
  } catch (const std::exception& error) {
    ended = std::string("error: ") + error.what();
    injector.add(
        {ProblemKind::wrong_answer, "",
         std::string("the run ended with an error that is not want of memory: ") + error.what()});
  }
  if (!injector.injection()) {
    injector.add({ProblemKind::irregular, "", "the run asked for less than the first time"});
  }
  send_done(out, ended, injector);
}

// --- in the parent ---

void note_done(const Message& message, FailedPlay& play) {
  play.ended = message[1];
  for (std::size_t i = 2; i + 2 < message.size(); i += 3) {
    play.problems.push_back(
        {static_cast<ProblemKind>(std::stoul(message[i])), message[i + 1], message[i + 2]});
  }
}

void note_crash(const std::string& end, FailedPlay& play) {
  play.ended = end;
  play.problems.push_back({ProblemKind::crash, play.injection.owner, "the run " + end});
}

void play_undisturbed(const InjectedPlay& play, const SweepProgress& progress,
                      SweepReport& report) {
  Child child([&](int out) { count(play, out); });
  bool done = false;
  while (const std::optional<Message> message = child.receive([&] { progress(0, 0); })) {
    if (message->front() == kRefused) {
      throw InputError((*message)[1]);
    }
    if (message->front() == kCounts) {
      for (std::size_t i = 0; i < report.counts.size(); ++i) {
        report.counts[i] = std::stoull((*message)[i + 1]);
      }
    } else {
      note_done(*message, report.undisturbed);
      done = true;
    }
  }
  if (!done) {
    note_crash(child.end(), report.undisturbed);
  }
  if (report.undisturbed.ended.starts_with("out of memory")) {
    report.undisturbed.problems.push_back(
        {ProblemKind::wrong_answer, "", "the run ended " + report.undisturbed.ended});
  }
}

}  // namespace

bool SweepReport::failed() const {
  return !undisturbed.problems.empty() ||
         std::any_of(plays.begin(), plays.end(),
                     [](const FailedPlay& play) { return !play.problems.empty(); });
}

SweepReport fail_each(const InjectedPlay& play, const SweepProgress& progress) {
  SweepReport report;
  play_undisturbed(play, progress, report);
  if (report.failed()) {
    return report;
  }
  std::vector<FailedPlay> plays;
  for (const FailKind kind : kFailKinds) {
    for (std::uint64_t n = 1; n <= report.counts[static_cast<std::size_t>(kind)]; ++n) {
      plays.push_back({.kind = kind, .number = n, .injection = {}, .ended = {}, .problems = {}});
    }
  }
  std::size_t next = 0;
  const auto show = [&] { progress(next, plays.size()); };
  while (next < plays.size()) {
    show();
    Child child([&](int out) {
      for (std::size_t i = next; i < plays.size(); ++i) {
        play_with(play, plays[i], out);
      }
    });
    while (const std::optional<Message> message = child.receive(show)) {
      FailedPlay& current = plays[next];
      if (message->front() == kInjected) {
        current.injection = {(*message)[1], (*message)[2], std::stoull((*message)[3])};
      } else {
        note_done(*message, current);
        ++next;
        show();
      }
    }
    if (next < plays.size()) {
      note_crash(child.end(), plays[next]);
      ++next;
    }
  }
  report.plays = std::move(plays);
  return report;
}

}  // namespace modmem::testbench
