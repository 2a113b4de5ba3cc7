// Scripts: what each line means, what each mistake is called, and that no text does worse than be
// refused.
#include "testbench/script.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <random>

#include "testbench/input_error.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::testbench {
namespace {

using Kind = ScriptCommand::Kind;

ScriptCommand only_command(std::string_view line) {
  const Script script = parse_script(line, "folder/a.script");
  EXPECT_EQ(script.commands.size(), 1U) << line;
  return script.commands.empty() ? ScriptCommand{} : script.commands.front();
}

// What parsing `text` is refused with, or an empty string.
std::string refusal(std::string_view text, const std::filesystem::path& name = "a.script") {
  try {
    parse_script(text, name);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(ScriptTest, ReadsCommandsOverStreams) {
  const ScriptCommand start = only_command("start \"Deep Buffer\" playback");
  EXPECT_EQ(start.kind, Kind::start);
  EXPECT_EQ(start.name, "Deep Buffer");
  EXPECT_EQ(start.direction, Direction::playback);
  EXPECT_TRUE(start.file.empty());

  const std::pair<std::string, Kind> others[] = {
      {"stop", Kind::stop}, {"pause", Kind::pause}, {"reset", Kind::reset}};
  for (const auto& [word, kind] : others) {
    const ScriptCommand command = only_command(word + " Call capture");
    EXPECT_EQ(command.kind, kind) << word;
    EXPECT_EQ(command.name, "Call") << word;
    EXPECT_EQ(command.direction, Direction::capture) << word;
    EXPECT_EQ(to_string(kind), word);
  }
}

TEST(ScriptTest, FindsFilesBesideTheScript) {
  EXPECT_EQ(only_command("start Music playback music.wav").file, "folder/music.wav");
  EXPECT_EQ(only_command("start Music playback \"../a song.wav\"").file, "folder/../a song.wav");
  EXPECT_EQ(only_command("start Music capture /tmp/x.wav").file, "/tmp/x.wav");
  EXPECT_EQ(only_command("set \"EQ bytes\" blob eq.bin").file, "folder/eq.bin");
  EXPECT_EQ(parse_script("set EQ blob eq.bin", "a.script").commands[0].file, "eq.bin");
}

TEST(ScriptTest, ReadsValuesAndBlobs) {
  const ScriptCommand set = only_command("set \"Music Volume\" 31 -2 9223372036854775807");
  EXPECT_EQ(set.kind, Kind::set);
  EXPECT_EQ(set.name, "Music Volume");
  EXPECT_EQ(set.values, (std::vector<std::int64_t>{31, -2, INT64_MAX}));
  EXPECT_EQ(only_command("set X -9223372036854775808").values[0], INT64_MIN);

  const ScriptCommand blob = only_command("set EQ blob \"flat eq.bin\"");
  EXPECT_EQ(blob.kind, Kind::set_blob);
  EXPECT_EQ(blob.name, "EQ");
  EXPECT_TRUE(blob.values.empty());
  EXPECT_EQ(to_string(Kind::set_blob), "set");
}

TEST(ScriptTest, ReadsTriggersAndWaits) {
  const ScriptCommand trigger = only_command("trigger kpb.11.1");
  EXPECT_EQ(trigger.kind, Kind::trigger);
  EXPECT_EQ(trigger.name, "kpb.11.1");
  EXPECT_EQ(only_command("wait 1").ms, 1U);
  EXPECT_EQ(only_command("wait 86400000").ms, kMaxWaitMs);
}

TEST(ScriptTest, SkipsCommentsAndBlankLinesAndCountsLines) {
  const Script script = parse_script(
      "# a day \xc3\xbc\n"
      "\n"
      "\t wait 5 # \"not a word\n"
      "trigger \"#1\"\r\n"
      "   \t\n"
      "trigger a#b",
      "x");
  ASSERT_EQ(script.commands.size(), 3U);
  EXPECT_EQ(script.commands[0].line, 3U);
  EXPECT_EQ(script.commands[1].line, 4U);
  EXPECT_EQ(script.commands[1].name, "#1");
  EXPECT_EQ(script.commands[2].line, 6U);
  EXPECT_EQ(script.commands[2].name, "a#b");
  EXPECT_EQ(script.path, "x");
  EXPECT_TRUE(parse_script("", "x").commands.empty());
}

TEST(ScriptTest, SaysWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"play Music",
       "\"play\" is no command: start, stop, pause, reset, set, trigger and wait are"},
      {"\"wait\" 5",
       "\"wait\" is no command: start, stop, pause, reset, set, trigger and wait are"},
      {"start", "too few words, expected: start PCM playback|capture [FILE]"},
      {"start Music", "too few words, expected: start PCM playback|capture [FILE]"},
      {"start Deep Buffer playback", "\"Buffer\" is neither playback nor capture"},
      {"start Music \"playback\"", "\"playback\" is neither playback nor capture"},
      {"start \"\" playback", "the name of the PCM is empty"},
      {"start Music playback \"\"", "the name of the file is empty"},
      {"start Music playback a b", "unexpected \"b\", expected: start PCM playback|capture [FILE]"},
      {"stop Music playback x.wav", "unexpected \"x.wav\", expected: stop PCM playback|capture"},
      {"set", "too few words, expected: set CONTROL VALUE... or set CONTROL blob FILE"},
      {"set Volume", "too few words, expected: set CONTROL VALUE... or set CONTROL blob FILE"},
      {"set \"\" 1", "the name of the control is empty"},
      {"set Volume loud", "the value \"loud\" is no whole number of 64 bits"},
      {"set Volume 1 2.5", "the value \"2.5\" is no whole number of 64 bits"},
      {"set Volume +1", "the value \"+1\" is no whole number of 64 bits"},
      {"set Volume 9223372036854775808",
       "the value \"9223372036854775808\" is no whole number of 64 bits"},
      {"set EQ blob", "too few words, expected: set CONTROL VALUE... or set CONTROL blob FILE"},
      {"set EQ blob \"\"", "the name of the file is empty"},
      {"set EQ \"blob\" x", "the value \"blob\" is no whole number of 64 bits"},
      {"trigger", "too few words, expected: trigger WIDGET"},
      {"trigger \"\"", "the name of the widget is empty"},
      {"trigger a b", "unexpected \"b\", expected: trigger WIDGET"},
      {"wait", "too few words, expected: wait MS"},
      {"wait 0", "wait \"0\": must be a whole number of milliseconds from 1 to 86400000, a day"},
      {"wait -1", "wait \"-1\": must be a whole number of milliseconds from 1 to 86400000, a day"},
      {"wait 86400001",
       "wait \"86400001\": must be a whole number of milliseconds from 1 to 86400000, a day"},
      {"wait 5ms",
       "wait \"5ms\": must be a whole number of milliseconds from 1 to 86400000, a day"},
      {"trigger \"x", "a double quote without its second"},
      {"trigger \"x\"y", "no blank behind \"x\""},
      {"trigger x\"y\"", "a double quote inside the word \"x\"y\"\""},
      {"trigger \x1b[2J", "a control character"},
      {"wait 5\rwait 6", "a control character"},
      {std::string("wait 5\0", 7), "a control character"},
      {"# \x7f", "a control character"},
  };
  for (const auto& [line, reason] : cases) {
    EXPECT_EQ(refusal("wait 1\n" + line + "\nwait 1\n"), "a.script:2: " + reason) << line;
  }
}

TEST(ScriptTest, KeepsMessagesShortAndOnOneLine) {
  const std::string reason = refusal(std::string(100000, 'x') + " \xff\n", "a\nb.script");
  EXPECT_EQ(reason.substr(0, 12), "a?b.script:1");
  EXPECT_LT(reason.size(), 200U);
  EXPECT_TRUE(is_printable(refusal("\xc3\xbc\xff 5")));
}

TEST(ScriptTest, TakesAMebibyteAndNoMore) {
  const std::string longest(kMaxScriptBytes, '\n');
  EXPECT_TRUE(parse_script(longest, "x").commands.empty());
  EXPECT_EQ(refusal(longest + "\n", "x"),
            "x: the file is longer than 1048576 bytes, too long for a script");
}

// Each text in an allocation of its own size, so that reading past its end shows.
void try_parsing(const std::string& text, std::size_t& parsed) {
  const auto copy = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), copy.get());
  try {
    const Script script = parse_script({copy.get(), text.size()}, "fuzz");
    parsed += script.commands.empty() ? 0 : 1;
    for (const ScriptCommand& command : script.commands) {
      const bool is_set = command.kind == Kind::set;
      EXPECT_EQ(command.name.empty(), command.kind == Kind::wait) << text;
      EXPECT_EQ(command.values.empty(), !is_set) << text;
      EXPECT_EQ(command.ms != 0, command.kind == Kind::wait) << text;
      EXPECT_LE(command.ms, kMaxWaitMs) << text;
    }
  } catch (const InputError& error) {
    EXPECT_EQ(std::string_view(error.what()).substr(0, 5), "fuzz:") << text;
    EXPECT_TRUE(is_printable(error.what())) << error.what();
  }
}

TEST(ScriptTest, NoTextDoesWorseThanBeRefused) {
  const std::string whole =
      "# all of the grammar\n"
      "start \"Deep Buffer\" playback \"a b.wav\"\r\n"
      "pause Music playback\nset \"Music Volume\" 1 -20\nset EQ blob x.bin\n"
      "trigger kpb.1.1\n\twait 2000\nreset Music capture\nstop Call capture";
  std::size_t parsed = 0;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    try_parsing(whole.substr(0, length), parsed);
  }
  const std::string_view pieces[] = {"start ", "stop ",    "set ",   "blob ",    "trigger ",
                                     "wait ",  "x ",       "\"",     "\"a b\" ", "#",
                                     "\n",     "\r\n",     "1 ",     "-99999 ",  "playback ",
                                     "\t",     "capture ", "pause ", "\xff ",    "86400001 "};
  std::mt19937 random(20240917);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    if (round % 2 == 0) {
      for (std::size_t left = random() % 12; left > 0; --left) {
        text += pieces[random() % std::size(pieces)];
      }
    } else {
      text = whole;
      for (std::size_t left = 1 + random() % 3; left > 0; --left) {
        text[random() % text.size()] = static_cast<char>(random() % 256);
      }
    }
    try_parsing(text, parsed);
  }
  EXPECT_GT(parsed, 1000U);
}

class ScriptFileTest : public testing::Test {
 protected:
  ScriptFileTest() { std::filesystem::create_directory(folder_); }
  ~ScriptFileTest() override { std::filesystem::remove_all(folder_); }

  std::string load_refusal(const std::filesystem::path& path) {
    try {
      load_script(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  }

  const std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) /
                                        ("modmem_script_test." + std::to_string(::getpid()));
};

TEST_F(ScriptFileTest, IsReadWhole) {
  const std::filesystem::path path = folder_ / "day.script";
  std::ofstream(path) << "start Music playback music.wav\nwait 100\n";
  const Script script = load_script(path);
  EXPECT_EQ(script.path, path);
  ASSERT_EQ(script.commands.size(), 2U);
  EXPECT_EQ(script.commands[0].file, folder_ / "music.wav");
}

TEST_F(ScriptFileTest, IsRefusedByNameWhereItIsNone) {
  const std::filesystem::path missing = folder_ / "no.script";
  EXPECT_EQ(load_refusal(missing), missing.string() + ": there is no such file");
  EXPECT_EQ(load_refusal(folder_), folder_.string() + ": is a directory, not a script");
  EXPECT_EQ(load_refusal(""), ": there is no such file");
  // Endless, and not to be read to its end.
  EXPECT_EQ(load_refusal("/dev/zero"),
            "/dev/zero: the file is longer than 1048576 bytes, too long for a script");
}

}  // namespace
}  // namespace modmem::testbench
