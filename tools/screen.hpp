// Screen: a terminal that is drawn on, a picture at a time, and is as it was afterwards.
//
// It uses the sequences that every terminal of today has (ECMA-48, and xterm's other screen), and
// no more. While it lives, keys come as they are pressed and are not shown; ^C and ^Z do what they
// always do, and the shell gets the terminal back as it was.
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace modmem::tools {

struct ScreenLine {
  enum class Look { plain, head, dim, alarm };
  std::string text;  // printable ASCII
  Look look = Look::plain;
};

class Screen {
 public:
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };

  // Whether standard output is a terminal that can be drawn on.
  static bool is_there();

  // Takes the terminal over. Requires is_there(). One at a time.
  Screen();
  // Gives it back.
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // As large as it is now.
  Size size() const;

  // Shows these lines from the top, those that have no room cut off, and nothing else. Throws
  // InputError where the terminal takes nothing any more.
  void show(const std::vector<ScreenLine>& lines);

  // The key that was pressed, if any; does not wait.
  std::optional<char> key();

 private:
  void enter();
  void leave();
  void stop_where_asked();

  bool has_keys_ = false;  // standard input is a terminal, too
  termios before_{};       // its settings
};

}  // namespace modmem::tools
