// The main of fuzz targets where no engine drives them: gives each file, and each file of each
// folder, to the target. With -runs=N it then does so with N inputs that are made from these files
// by random changes, the same ones for the same -seed=S: no engine's search, but enough to see that
// the target finds what is planted.
//
// Ends with status 0 where nothing was found, 2 for bad arguments; a finding ends it as report() or
// a sanitizer does. Inputs that random changes made are written to -crash=FILE before they are
// tried.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz_target.hpp"
#include "heap/testing/random.hpp"

namespace {

using Input = std::vector<std::uint8_t>;

// Longer ones find nothing that shorter ones do not, and take long.
constexpr std::size_t kMostBytes = 4096;

struct Arguments {
  std::vector<std::filesystem::path> inputs;
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::optional<std::filesystem::path> crash;
};

// The value of `argument` where it is NAME=VALUE.
std::optional<std::string> value_of(std::string_view argument, std::string_view name) {
  return argument.starts_with(name) ? std::optional(std::string(argument.substr(name.size())))
                                    : std::nullopt;
}

std::optional<Arguments> parse(int count, char** texts) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view text = texts[i];
    if (const auto runs = value_of(text, "-runs=")) {
      arguments.runs = std::strtoull(runs->c_str(), nullptr, 10);
    } else if (const auto seed = value_of(text, "-seed=")) {
      arguments.seed = std::strtoull(seed->c_str(), nullptr, 10);
    } else if (const auto crash = value_of(text, "-crash=")) {
      arguments.crash = *crash;
    } else if (text.starts_with("-")) {
      return std::nullopt;
    } else {
      arguments.inputs.emplace_back(text);
    }
  }
  return arguments;
}

// The files, and those of the folders, in order of their names.
std::vector<std::filesystem::path> files_of(const std::vector<std::filesystem::path>& inputs) {
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& input : inputs) {
    if (!std::filesystem::is_directory(input)) {
      files.push_back(input);
      continue;
    }
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    for (const auto& entry : std::filesystem::directory_iterator(input)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

std::optional<Input> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return std::nullopt;
  }
  return Input(std::istreambuf_iterator<char>(file), {});
}

// One of a few changes that engines make as well.
void change(Input& input, const std::vector<Input>& others, modmem::Random& random) {
  const std::size_t at = random.below(input.size() + 1);
  const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
  switch (random.below(6)) {
    case 0:
      input.insert(place, static_cast<std::uint8_t>(random.next()));
      break;
    case 1:
      input.erase(
          place, place + static_cast<std::ptrdiff_t>(std::min(random.size(64), input.size() - at)));
      break;
    case 2: {  // a piece of itself once more
      const std::size_t from = random.below(input.size() + 1);
      const std::size_t bytes = std::min(random.size(128), input.size() - from);
      const Input piece(input.begin() + static_cast<std::ptrdiff_t>(from),
                        input.begin() + static_cast<std::ptrdiff_t>(from + bytes));
      input.insert(place, piece.begin(), piece.end());
      break;
    }
    case 3: {  // the end of another one
      const Input& other = others[random.below(others.size())];
      const std::size_t from = random.below(other.size() + 1);
      input.erase(place, input.end());
      input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      break;
    }
    default:
      if (at < input.size()) {
        input[at] = random.one_in(2) ? static_cast<std::uint8_t>(random.next())
                                     : static_cast<std::uint8_t>(input[at] ^ 1U << random.below(8));
      }
      break;
  }
  input.resize(std::min(input.size(), kMostBytes));
}

// Each input in memory of exactly its size, so that AddressSanitizer sees who reads past its end.
void run(const Input& input) {
  const Input copy(input.begin(), input.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

}  // namespace

int main(int count, char** texts) {
  const std::optional<Arguments> arguments = parse(count, texts);
  if (!arguments) {
    std::fprintf(stderr, "usage: %s [-runs=N] [-seed=S] [-crash=FILE] FILE|FOLDER...\n", texts[0]);
    return 2;
  }
  std::vector<Input> inputs;
  for (const std::filesystem::path& path : files_of(arguments->inputs)) {
    const std::optional<Input> input = read(path);
    if (!input) {
      std::fprintf(stderr, "%s: can't be read\n", path.c_str());
      return 2;
    }
    std::fprintf(stderr, "%s: %zu bytes\n", path.c_str(), input->size());
    run(*input);
    inputs.push_back(*input);
  }
  if (inputs.empty()) {
    inputs.emplace_back();
  }
  modmem::Random random(arguments->seed);
  for (std::uint64_t i = 0; i < arguments->runs; ++i) {
    Input input = inputs[random.below(inputs.size())];
    for (std::size_t changes = random.size(64); changes != 0; --changes) {
      change(input, inputs, random);
    }
    if (arguments->crash) {
      std::ofstream(*arguments->crash, std::ios::binary)
          .write(reinterpret_cast<const char*>(input.data()),
                 static_cast<std::streamsize>(input.size()));
    }
    run(input);
  }
  std::fprintf(stderr, "%zu files and %llu inputs made from them: nothing found\n", inputs.size(),
               static_cast<unsigned long long>(arguments->runs));
  return 0;
}
