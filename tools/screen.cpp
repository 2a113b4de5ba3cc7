#include "tools/screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "testbench/input_error.hpp"

namespace modmem::tools {

namespace {

constexpr std::string_view kEnter =
    "\033[?1049h\033[?25l\033[?7l";  // other screen, no cursor, no wrap
constexpr std::string_view kLeave = "\033[0m\033[?7h\033[?25h\033[?1049l";

volatile std::sig_atomic_t stop_asked = 0;

void note_stop(int) { stop_asked = 1; }

// Writes it all. Returns false where the terminal takes no more.
bool put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      return false;
    }
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return true;
}

const char* sequence_of(ScreenLine::Look look) {
  switch (look) {
    case ScreenLine::Look::head:
      return "\033[1m";
    case ScreenLine::Look::dim:
      return "\033[2m";
    case ScreenLine::Look::alarm:
      return "\033[1;31m";
    case ScreenLine::Look::plain:
      break;
  }
  return "";
}

void on_stop(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTSTP, &action, nullptr);
}

}  // namespace

bool Screen::is_there() {
  const char* kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' &&
         std::strcmp(kind, "dumb") != 0;
}

Screen::Screen() { enter(); }

Screen::~Screen() {
  leave();
  on_stop(SIG_DFL);
}

void Screen::enter() {
  has_keys_ = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before_) == 0;
  if (has_keys_) {
    termios settings = before_;
    settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    settings.c_cc[VMIN] = 0;
    settings.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &settings);
  }
  put(kEnter);
  stop_asked = 0;
  on_stop(note_stop);
}

void Screen::leave() {
  put(kLeave);
  if (has_keys_) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
}

// ^Z: the shell gets the terminal as it was, and the program comes back to a screen of its own.
void Screen::stop_where_asked() {
  if (stop_asked != 0) {
    leave();
    on_stop(SIG_DFL);
    std::raise(SIGTSTP);
    enter();
  }
}

Screen::Size Screen::size() const {
  winsize window{};
  Size size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col != 0 && window.ws_row != 0) {
    size = {window.ws_col, window.ws_row};
  }
  return size;
}

void Screen::show(const std::vector<ScreenLine>& lines) {
  stop_where_asked();
  const Size room = size();
  std::string picture = "\033[H";
  for (std::size_t row = 0; row < room.rows && row < lines.size(); ++row) {
    picture += row == 0 ? "" : "\r\n";
    picture += sequence_of(lines[row].look);
    picture += lines[row].text.substr(0, room.columns);
    picture += "\033[0m\033[K";
  }
  picture += "\033[J";
  if (!put(picture)) {
    throw testbench::InputError(std::string("the terminal: ") + std::strerror(errno));
  }
}

std::optional<char> Screen::key() {
  if (!has_keys_) {
    return std::nullopt;
  }
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char key = 0;
  if (poll(&input, 1, 0) <= 0 || read(STDIN_FILENO, &key, 1) != 1) {
    return std::nullopt;
  }
  return key;
}

}  // namespace modmem::tools
