#include "tools/describe.hpp"

#include "memory/policy.hpp"
#include "modmem/presets.hpp"

namespace modmem::tools {

namespace {

using nlohmann::ordered_json;

ordered_json describe_options(const CLI::App& app) {
  ordered_json options = ordered_json::array();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) {
      continue;  // not for users
    }
    ordered_json names = ordered_json::array();
    for (const std::string& name : option->get_snames()) {
      names.push_back("-" + name);
    }
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
    const bool takes_value = option->get_items_expected_max() != 0;
    options.push_back({{"names", std::move(names)},
                       {"argument", option->get_positional() ? option->get_single_name() : ""},
                       {"type", takes_value ? option->get_type_name() : ""},
                       {"many", option->get_items_expected_max() > 1},
                       {"required", option->get_required()},
                       {"default", option->get_default_str()},
                       {"help", option->get_description()}});
  }
  return options;
}

}  // namespace

nlohmann::ordered_json describe(const CLI::App& app) {
  ordered_json json{{"name", app.get_name()}, {"help", app.get_description()}};
  json["options"] = describe_options(app);
  json["commands"] = ordered_json::array();
  for (const CLI::App* command : app.get_subcommands({})) {
    json["commands"].push_back({{"name", command->get_name()},
                                {"help", command->get_description()},
                                {"options", describe_options(*command)}});
  }
  json["platforms"] = ordered_json::array();
  for (const PlatformConfig& platform : config::kPresets) {
    json["platforms"].push_back(platform.name);
  }
  json["policies"] = ordered_json::array();
  for (const Policy* policy : kPolicies) {
    json["policies"].push_back(policy->name);
  }
  return json;
}

}  // namespace modmem::tools
