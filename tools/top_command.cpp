#include "tools/top_command.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "testbench/input_error.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/live_picture.hpp"
#include "tools/report_file.hpp"
#include "tools/run_arguments.hpp"
#include "tools/run_report_text.hpp"
#include "tools/screen.hpp"

namespace modmem::tools {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostSpeed = 1000;
constexpr double kDefaultSeconds = 3600;
constexpr Screen::Size kPrinted{100, 1000};  // of a picture that goes to no terminal
constexpr auto kBetweenPictures = std::chrono::milliseconds(250);
constexpr auto kNap = std::chrono::milliseconds(20);  // between looks at the keys

struct Arguments : RunArguments {
  std::string speed = "1";
  std::string once;
};

// Nothing more is to be shown. Not derived from std::exception: it is no error.
struct Enough {};

std::string to_lines(const std::vector<ScreenLine>& picture) {
  std::string text;
  for (const ScreenLine& line : picture) {
    text += line.text + "\n";
  }
  return text;
}

// Keeps the pace of what is heard, and draws now and then.
class LiveView final : public testbench::RunWatcher {
 public:
  LiveView(std::string title, std::uint64_t speed) : picture_(std::move(title)), speed_(speed) {}

  void on_period(const testbench::System& system, const testbench::Session& session,
                 std::uint64_t done, std::uint64_t total) override {
    if (!screen_) {
      screen_.emplace();  // now that there is something to show, and nothing to complain of
    }
    picture_.note(system, done);
    for (;;) {
      InterruptGuard::check();
      const Clock::time_point now = Clock::now();
      if (now >= next_) {
        draw(system, session, done, total);
        next_ = now + kBetweenPictures;
      }
      obey_keys(system, session, done, total);
      const Clock::time_point due = due_at(done);
      if (!paused_ && now >= due) {
        return;
      }
      std::this_thread::sleep_for(paused_ ? kNap : std::min<Clock::duration>(due - now, kNap));
    }
  }

  // The last picture, for where the screen has gone.
  const std::vector<ScreenLine>& last() const { return last_; }

 private:
  // When so many periods have been heard.
  Clock::time_point due_at(std::uint64_t done) const {
    return speed_ == 0 ? begin_ : begin_ + std::chrono::microseconds(done * 1000 / speed_);
  }

  void draw(const testbench::System& system, const testbench::Session& session, std::uint64_t done,
            std::uint64_t total) {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    char speed[64];
    std::snprintf(speed, sizeof speed, ", %.1f x%s", static_cast<double>(done) / 1000 / seconds,
                  paused_ ? ", waits (space: goes on)" : "");
    last_ = picture_.draw(system, session, total, screen_->size(), speed);
    screen_->show(last_);
  }

  void obey_keys(const testbench::System& system, const testbench::Session& session,
                 std::uint64_t done, std::uint64_t total) {
    while (const std::optional<char> key = screen_->key()) {
      if (*key == 'q' || *key == 'Q') {
        throw Enough{};
      }
      if (*key == ' ') {
        // Time stands still while it waits.
        const Clock::time_point now = Clock::now();
        begin_ += paused_ ? now - paused_at_ : Clock::duration{};
        paused_at_ = now;
        paused_ = !paused_;
        draw(system, session, done, total);
      }
    }
  }

  std::optional<Screen> screen_;
  LivePicture picture_;
  std::vector<ScreenLine> last_;
  std::uint64_t speed_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point next_ = begin_;
  Clock::time_point paused_at_ = begin_;
  bool paused_ = false;
};

// One picture, of the moment at which so many periods have passed.
class OnePicture final : public testbench::RunWatcher {
 public:
  OnePicture(std::string title, std::uint64_t period)
      : picture_(std::move(title)), period_(period) {}

  void on_period(const testbench::System& system, const testbench::Session& session,
                 std::uint64_t done, std::uint64_t total) override {
    InterruptGuard::check();
    picture_.note(system, done);
    if (done >= period_) {
      last_ = picture_.draw(system, session, total, kPrinted, "");
      throw Enough{};
    }
  }

  const std::vector<ScreenLine>& last() const { return last_; }

 private:
  LivePicture picture_;
  std::uint64_t period_;
  std::vector<ScreenLine> last_;
};

// Plays with `watcher` looking on. Returns nothing where that had enough before the end.
std::optional<testbench::RunReport> watch(testbench::RunOptions options,
                                          const std::optional<std::filesystem::path>& script,
                                          testbench::RunWatcher& watcher) {
  options.watcher = &watcher;
  try {
    return play(options, script, [](std::uint64_t, std::uint64_t) { InterruptGuard::check(); });
  } catch (const Enough&) {
    return std::nullopt;
  }
}

int top_command(const CLI::App& command, const Arguments& arguments) {
  testbench::RunOptions options = to_run_options(command, arguments);
  const std::uint64_t speed = parse_count("--speed", arguments.speed, 0, kMostSpeed);
  const auto script = script_of(command, arguments);
  options.seconds = options.seconds.value_or(kDefaultSeconds);
  const std::string title = options.topology.filename().string();
  files_of(options, script);
  const InterruptGuard interrupts;  // before anything is written
  if (command.count("--once") != 0) {
    const double seconds = parse_seconds("--once", arguments.once);
    OnePicture watcher(title, static_cast<std::uint64_t>(std::ceil(seconds * 1000)));
    if (const auto report = watch(options, script, watcher)) {
      write_text(stdout, "standard output", to_text(*report));
      return report->failed() ? kMemoryTrouble
                              : throw testbench::InputError("--once " + arguments.once +
                                                            ": the run ends before");
    }
    write_text(stdout, "standard output", to_lines(watcher.last()));
    return kSuccess;
  }
  if (!Screen::is_there()) {
    throw testbench::InputError(
        "standard output is no terminal to draw on; --once SECONDS prints one picture");
  }
  std::optional<testbench::RunReport> report;
  std::string last;
  {
    LiveView watcher(title, speed);
    report = watch(options, script, watcher);
    last = to_lines(watcher.last());
  }
  write_text(stdout, "standard output", report ? to_text(*report) : last);
  return report && report->failed() ? kMemoryTrouble : kSuccess;
}

}  // namespace

void add_top_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command = app.add_subcommand(
      "top", "Look at owners, banks and rates while a topology plays; q ends, space waits");
  auto arguments = std::make_shared<Arguments>();
  add_run_options(*command, *arguments, "Length of the run in seconds; an hour where not given");
  command
      ->add_option("--speed", arguments->speed,
                   "How many times as fast as it is heard; 0: as fast as it can")
      ->type_name("NUMBER")
      ->capture_default_str();
  command
      ->add_option("--once", arguments->once,
                   "Print one picture, of when so much has played, and end")
      ->type_name("SECONDS");
  command->callback([arguments, command, &action] {
    action = [=] { return top_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
