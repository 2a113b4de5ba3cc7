#include "testbench/plan/footprint_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "testbench/input_error.hpp"
#include "testbench/plan/shipped_footprints.hpp"
#include "testbench/toml_file.hpp"

namespace modmem::testbench {

namespace {

constexpr std::int64_t kMostNumber = std::int64_t{1} << 40;
constexpr std::int64_t kMostAlignment = 65536;

constexpr std::pair<std::string_view, Flags> kIntents[] = {
    {"user", flag::kUser},          {"kernel", flag::kKernel},
    {"large", flag::kLargeBuffer},  {"dma", flag::kDma},
    {"coherent", flag::kCoherent},  {"shared", flag::kShared},
    {"low-power", flag::kLowPower}, {"l3", flag::kL3}};

// The words between spaces.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end != at) {
      words.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return words;
}

Flags parse_intent(const TomlValue& value) {
  Flags flags = 0;
  for (const std::string& word : words_of(value.text())) {
    const auto* const known =
        std::find_if(std::begin(kIntents), std::end(kIntents),
                     [&](const auto& intent) { return intent.first == word; });
    if (known == std::end(kIntents)) {
      value.fail("there is no intent '" + word + "'");
    }
    flags |= known->second;
  }
  return flags;
}

std::string intent_text(Flags flags) {
  std::string text;
  for (const auto& [name, flag] : kIntents) {
    if ((flags & flag) != 0) {
      text += (text.empty() ? "" : " ") + std::string(name);
    }
  }
  return text;
}

// What of a formula or condition is wrong, with file and line.
template <typename Parse>
auto located(const TomlValue& value, const Parse& parse) {
  try {
    return parse();
  } catch (const InputError& error) {
    value.fail(error.what());
  }
}

Formula parse_formula(const TomlValue& value, const IsFact& is_fact) {
  return value.is_integer() ? Formula(value.integer(0, kMostNumber))
                            : located(value, [&] { return Formula::parse(value.text(), is_fact); });
}

// "u32 at 20", "u32 at 36 / 1000"
Parameter parse_parameter(const std::string& name, const TomlValue& value) {
  std::vector<std::string> words = words_of(value.text());
  Parameter parameter{.name = name};
  const auto number = [](const std::string& text, auto& result) {
    const char* const end = text.data() + text.size();
    return std::from_chars(text.data(), end, result).ptr == end;
  };
  if (words.size() == 5 && words[3] == "/" && number(words[4], parameter.unit) &&
      parameter.unit > 0 && parameter.unit <= kMostNumber) {
    words.resize(3);
  }
  const bool sized = words.size() == 3 && words[1] == "at" &&
                     (words[0] == "u8" || words[0] == "u16" || words[0] == "u32");
  if (!sized || !number(words[2], parameter.offset) || parameter.offset > kMostAlignment) {
    value.fail("must be such as \"u32 at 20\": u8, u16 or u32, and its place in bytes");
  }
  parameter.bytes = words[0] == "u8" ? 1 : words[0] == "u16" ? 2 : 4;
  const auto facts = fact_names();
  if (std::find(facts.begin(), facts.end(), name) != facts.end()) {
    value.fail("there is a fact of that name");
  }
  const bool is_word = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!is_word || name.empty() || (name.front() >= '0' && name.front() <= '9')) {
    value.fail("a name has a-z, 0-9 and _, and begins with no digit");
  }
  return parameter;
}

void parse_cases(const TomlValue& request, const IsFact& is_fact, FootprintRequest& result) {
  for (const TomlValue& name : request.at("by").list()) {
    if (!is_fact(name.text())) {
      name.fail("there is no fact '" + name.text() + "'");
    }
    result.by.push_back(name.text());
  }
  for (const TomlValue& entry : request.at("cases").list()) {
    const TomlValue::List& values = entry.list();
    if (values.size() != result.by.size() + 1) {
      entry.fail("must have a number for each fact in 'by', and the bytes");
    }
    FootprintRequest::Case one;
    for (std::size_t i = 0; i < result.by.size(); ++i) {
      one.values.push_back(values[i].integer(0, kMostNumber));
    }
    one.bytes = parse_formula(values.back(), is_fact);
    result.cases.push_back(std::move(one));
  }
  if (result.cases.empty()) {
    request.fail("'cases' has none");
  }
}

FootprintRequest parse_request(const TomlValue& value, const IsFact& is_fact) {
  value.require_keys({"bytes", "total", "by", "cases", "count", "least", "alignment", "intent",
                      "when", "temporary", "estimate"});
  FootprintRequest request;
  const TomlValue* const bytes = value.find("bytes");
  const TomlValue* const total = value.find("total");
  const TomlValue* const cases = value.find("cases");
  if ((bytes != nullptr) + (total != nullptr) + (cases != nullptr) != 1) {
    value.fail("must have one of 'bytes', 'total' and 'cases'");
  }
  if (cases != nullptr) {
    parse_cases(value, is_fact, request);
  } else {
    request.together = total != nullptr;
    request.bytes = parse_formula(request.together ? *total : *bytes, is_fact);
    if (const TomlValue* const by = value.find("by")) {
      by->fail("is for cases only");
    }
  }
  if (const TomlValue* const count = value.find("count")) {
    request.count = parse_formula(*count, is_fact);
  }
  if (const TomlValue* const least = value.find("least")) {
    request.least = parse_formula(*least, is_fact);
  }
  if (const TomlValue* const alignment = value.find("alignment")) {
    request.alignment = static_cast<std::size_t>(alignment->integer(0, kMostAlignment));
    if ((request.alignment & (request.alignment - 1)) != 0) {
      alignment->fail("must be a power of two, or 0");
    }
  }
  if (const TomlValue* const intent = value.find("intent")) {
    request.flags = parse_intent(*intent);
  }
  if (const TomlValue* const when = value.find("when")) {
    request.when = located(*when, [&] { return Condition::parse(when->text(), is_fact); });
  }
  const TomlValue* const temporary = value.find("temporary");
  request.temporary = temporary != nullptr && temporary->flag();
  const TomlValue* const estimate = value.find("estimate");
  request.estimate = estimate != nullptr && estimate->flag();
  return request;
}

Footprint parse_footprint(const TomlValue& value) {
  value.require_keys({"uuid", "name", "parameters", "seen", "init", "prepare"});
  Footprint footprint;
  const TomlValue& uuid = value.at("uuid");
  const std::optional<Uuid> parsed = parse_uuid(uuid.text());
  if (!parsed) {
    uuid.fail("'" + uuid.text() + "' is no UUID");
  }
  footprint.uuid = *parsed;
  footprint.name = value.at("name").text();
  if (const TomlValue* const parameters = value.find("parameters")) {
    for (const auto& [name, text] : parameters->table()) {
      footprint.parameters.push_back(parse_parameter(name, text));
    }
  }
  const IsFact is_fact = [&](std::string_view name) {
    const auto facts = fact_names();
    return std::find(facts.begin(), facts.end(), name) != facts.end() ||
           std::any_of(footprint.parameters.begin(), footprint.parameters.end(),
                       [name](const Parameter& parameter) { return parameter.name == name; });
  };
  if (const TomlValue* const seen = value.find("seen")) {
    for (const auto& [name, range] : seen->table()) {
      const TomlValue::List& ends = range.list();
      if (!is_fact(name) || ends.size() != 2) {
        range.fail("must be a fact, with the least and the most of it that was seen");
      }
      const std::int64_t least = ends[0].integer(0, kMostNumber);
      footprint.seen[name] = {least, ends[1].integer(least, kMostNumber)};
    }
  }
  const auto parse_phase = [&](const char* name, std::vector<FootprintRequest>& phase) {
    if (const TomlValue* const requests = value.find(name)) {
      for (const TomlValue& request : requests->list()) {
        phase.push_back(parse_request(request, is_fact));
      }
    }
  };
  parse_phase("init", footprint.init);
  parse_phase("prepare", footprint.prepare);
  return footprint;
}

// A number as such, else in quotes.
std::string formula_toml(const Formula& formula) {
  const std::string text = formula.to_text();
  const bool is_number = text.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? text : to_toml(text);
}

std::string cases_toml(const FootprintRequest& request) {
  std::string text = "by = [";
  for (const std::string& name : request.by) {
    text += (text.back() == '[' ? "" : ", ") + to_toml(name);
  }
  text += "], cases = [\n";
  for (const FootprintRequest::Case& one : request.cases) {
    text += "    [";
    for (const std::int64_t value : one.values) {
      text += std::to_string(value) + ", ";
    }
    text += formula_toml(one.bytes) + "],\n";
  }
  return text + "  ]";
}

std::string request_toml(const FootprintRequest& request) {
  std::string text = request.cases.empty() ? (request.together ? "total = " : "bytes = ") +
                                                 formula_toml(request.bytes)
                                           : cases_toml(request);
  if (request.count != Formula(1)) {
    text += ", count = " + formula_toml(request.count);
  }
  if (request.least != Formula()) {
    text += ", least = " + formula_toml(request.least);
  }
  if (request.alignment != 0) {
    text += ", alignment = " + std::to_string(request.alignment);
  }
  if (request.flags != flag::kUser) {
    text += ", intent = " + to_toml(intent_text(request.flags));
  }
  if (!request.when.is_always()) {
    text += ", when = " + to_toml(request.when.to_text());
  }
  text += request.temporary ? ", temporary = true" : "";
  text += request.estimate ? ", estimate = true" : "";
  return "  { " + text + " },\n";
}

std::string footprint_toml(const Footprint& footprint) {
  std::string text = "\n[[module]]\nuuid = " + to_toml(to_string(footprint.uuid)) +
                     "\nname = " + to_toml(footprint.name) + "\n";
  if (!footprint.parameters.empty()) {
    text += "parameters = {";
    for (const Parameter& parameter : footprint.parameters) {
      text += (text.back() == '{' ? " " : ", ") + parameter.name + " = \"u" +
              std::to_string(8 * parameter.bytes) + " at " + std::to_string(parameter.offset) +
              (parameter.unit != 1 ? " / " + std::to_string(parameter.unit) : "") + "\"";
    }
    text += " }\n";
  }
  if (!footprint.seen.empty()) {
    text += "seen = {";
    for (const auto& [name, range] : footprint.seen) {
      text += (text.back() == '{' ? " " : ", ") + name + " = [" + std::to_string(range.least) +
              ", " + std::to_string(range.most) + "]";
    }
    text += " }\n";
  }
  const auto add_phase = [&](const char* name, const std::vector<FootprintRequest>& phase) {
    if (!phase.empty()) {
      text += std::string(name) + " = [\n";
      for (const FootprintRequest& request : phase) {
        text += request_toml(request);
      }
      text += "]\n";
    }
  };
  add_phase("init", footprint.init);
  add_phase("prepare", footprint.prepare);
  return text;
}

}  // namespace

void parse_footprints(std::string_view text, const std::string& name, FootprintTable& table) {
  const TomlValue file = parse_toml(text, name);
  file.require_keys({"module"});
  if (const TomlValue* const modules = file.find("module")) {
    for (const TomlValue& value : modules->list()) {
      Footprint footprint = parse_footprint(value);
      const auto earlier =
          std::find_if(modules->list().begin(), modules->list().end(), [&](const TomlValue& other) {
            return &other == &value || parse_uuid(other.at("uuid").text()) == footprint.uuid;
          });
      if (&*earlier != &value) {
        value.fail("its UUID stands above already");
      }
      table.put(std::move(footprint));
    }
  }
}

void load_footprints(const std::filesystem::path& path, FootprintTable& table) {
  parse_footprints(read_text(path, "a table"), path.string(), table);
}

const FootprintTable& shipped_footprints() {
  static const FootprintTable kTable = [] {
    FootprintTable shipped;
    parse_footprints(kShippedFootprints, "footprints.toml", shipped);
    return shipped;
  }();
  return kTable;
}

std::string to_toml(const FootprintTable& table) {
  std::string text =
      "# What modules ask of memory, for `modmem plan`; docs/planning.md says how to read it. "
      "Written by\n"
      "# `modmem profile`, which keeps names and parameters.\n";
  for (const Footprint& footprint : table.footprints()) {
    text += footprint_toml(footprint);
  }
  return text;
}

}  // namespace modmem::testbench
