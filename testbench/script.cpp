#include "testbench/script.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

using Kind = ScriptCommand::Kind;

constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kMaxQuotedChars = 64;

struct Usage {
  Kind kind;
  std::string_view word;
  std::string_view line;
};

// set_blob shares the word of set, and stands behind it.
constexpr Usage kUsages[] = {
    {Kind::start, "start", "start PCM playback|capture [FILE]"},
    {Kind::stop, "stop", "stop PCM playback|capture"},
    {Kind::pause, "pause", "pause PCM playback|capture"},
    {Kind::reset, "reset", "reset PCM playback|capture"},
    {Kind::set, "set", "set CONTROL VALUE... or set CONTROL blob FILE"},
    {Kind::set_blob, "set", "set CONTROL blob FILE"},
    {Kind::trigger, "trigger", "trigger WIDGET"},
    {Kind::wait, "wait", "wait MS"},
};

// `text` as part of a message: one line of moderate length.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kMaxQuotedChars));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kMaxQuotedChars ? shown + "..." : shown;
}

std::string quoted(std::string_view text) { return "\"" + printable(text) + "\""; }

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
}

// Where a line is, for messages.
class Place {
 public:
  Place(const std::filesystem::path& script, std::size_t line) : script_(script), line_(line) {}

  std::size_t line() const { return line_; }
  std::filesystem::path folder() const { return script_.parent_path(); }

  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(script_.string() + ":" + std::to_string(line_) + ": " + reason);
  }

 private:
  const std::filesystem::path& script_;
  std::size_t line_;
};

struct Word {
  std::string_view text;
  bool in_quotes = false;

  // A word in quotes is a name or a value, never a word of the grammar.
  bool is(std::string_view keyword) const { return !in_quotes && text == keyword; }
};

std::vector<Word> split(std::string_view line, const Place& place) {
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  if (std::any_of(line.begin(), line.end(), is_control)) {
    place.fail("a control character");
  }
  std::vector<Word> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty() || line.front() == '#') {
      return words;
    }
    if (line.front() != '"') {
      const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
      if (line.substr(0, end).find('"') != std::string_view::npos) {
        place.fail("a double quote inside the word " + quoted(line.substr(0, end)));
      }
      words.push_back({line.substr(0, end), false});
      line.remove_prefix(end);
      continue;
    }
    line.remove_prefix(1);
    const std::size_t end = line.find('"');
    if (end == std::string_view::npos) {
      place.fail("a double quote without its second");
    }
    words.push_back({line.substr(0, end), true});
    line.remove_prefix(end + 1);
    if (!line.empty() && kBlanks.find(line.front()) == std::string_view::npos) {
      place.fail("no blank behind " + quoted(words.back().text));
    }
  }
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return std::nullopt;
  }
  return value;
}

// Builds one command out of the words of a line.
class CommandParser {
 public:
  CommandParser(const std::vector<Word>& words, const Place& place)
      : words_(words), place_(place) {}

  ScriptCommand parse() {
    const auto usage =
        std::find_if(std::begin(kUsages), std::end(kUsages),
                     [&](const Usage& known) { return words_.front().is(known.word); });
    if (usage == std::end(kUsages)) {
      place_.fail(quoted(words_.front().text) +
                  " is no command: start, stop, pause, reset, set, trigger and wait are");
    }
    usage_ = usage->line;
    command_.kind = usage->kind;
    command_.line = place_.line();
    switch (command_.kind) {
      case Kind::start:
        parse_stream(4);
        if (words_.size() == 4) {
          command_.file = file(3);
        }
        break;
      case Kind::stop:
      case Kind::pause:
      case Kind::reset:
        parse_stream(3);
        break;
      case Kind::set:
      case Kind::set_blob:
        parse_set();
        break;
      case Kind::trigger:
        require_words(2, 2);
        command_.name = name("widget");
        break;
      case Kind::wait:
        parse_wait();
        break;
    }
    return std::move(command_);
  }

 private:
  void require_words(std::size_t least, std::size_t most) const {
    if (words_.size() < least) {
      place_.fail("too few words, expected: " + std::string(usage_));
    }
    if (words_.size() > most) {
      place_.fail("unexpected " + quoted(words_[most].text) + ", expected: " + std::string(usage_));
    }
  }

  std::string name(std::string_view what) const {
    if (words_[1].text.empty()) {
      place_.fail("the name of the " + std::string(what) + " is empty");
    }
    return std::string(words_[1].text);
  }

  std::filesystem::path file(std::size_t index) const {
    if (words_[index].text.empty()) {
      place_.fail("the name of the file is empty");
    }
    return place_.folder() / words_[index].text;
  }

  void parse_stream(std::size_t most) {
    require_words(3, most);
    command_.name = name("PCM");
    if (words_[2].is("capture")) {
      command_.direction = Direction::capture;
    } else if (!words_[2].is("playback")) {
      place_.fail(quoted(words_[2].text) + " is neither playback nor capture");
    }
  }

  void parse_set() {
    require_words(3, words_.size());
    command_.name = name("control");
    if (words_[2].is("blob")) {
      command_.kind = Kind::set_blob;
      require_words(4, 4);
      command_.file = file(3);
      return;
    }
    for (std::size_t i = 2; i < words_.size(); ++i) {
      const auto value = number<std::int64_t>(words_[i].text);
      if (!value) {
        place_.fail("the value " + quoted(words_[i].text) + " is no whole number of 64 bits");
      }
      command_.values.push_back(*value);
    }
  }

  void parse_wait() {
    require_words(2, 2);
    const auto ms = number<std::uint64_t>(words_[1].text);
    if (!ms || *ms < 1 || *ms > kMaxWaitMs) {
      place_.fail("wait " + quoted(words_[1].text) +
                  ": must be a whole number of milliseconds from 1 to " +
                  std::to_string(kMaxWaitMs) + ", a day");
    }
    command_.ms = *ms;
  }

  const std::vector<Word>& words_;
  const Place& place_;
  std::string_view usage_;
  ScriptCommand command_;
};

}  // namespace

std::string_view to_string(ScriptCommand::Kind kind) {
  const auto* const usage = std::find_if(std::begin(kUsages), std::end(kUsages),
                                         [&](const Usage& known) { return known.kind == kind; });
  return usage->word;
}

Script parse_script(std::string_view text, const std::filesystem::path& name) {
  if (text.size() > kMaxScriptBytes) {
    throw InputError(name.string() + ": the file is longer than " +
                     std::to_string(kMaxScriptBytes) + " bytes, too long for a script");
  }
  Script script{.path = name, .commands = {}};
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Place place(name, line);
    const std::vector<Word> words = split(text.substr(0, end), place);
    if (!words.empty()) {
      script.commands.push_back(CommandParser(words, place).parse());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return script;
}

Script load_script(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw InputError(path.string() + ": there is no such file");
  }
  if (std::filesystem::is_directory(status)) {
    throw InputError(path.string() + ": is a directory, not a script");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw InputError(path.string() + ": the file cannot be opened");
  }
  // One byte more than is allowed tells a file that is too long, without trusting its size.
  std::string text(kMaxScriptBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {
    throw InputError(path.string() + ": the file cannot be read");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_script(text, path);
}

}  // namespace modmem::testbench
