// What the page of `modmem report` shows, as JSON. Field by field: web/src/data.ts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "trace/history.hpp"

namespace modmem::tools {

// One replay under one policy.
nlohmann::ordered_json to_json(const trace::History& history);

// The platform that all replays of a trace share.
nlohmann::ordered_json platform_json(const Memory& memory);

// `template_page` with `data` in the place of its placeholder, as JSON that holds no '<': so
// nothing in a name ends the element that it stands in. Throws std::logic_error where there is
// none.
std::string to_page(const nlohmann::ordered_json& data, const std::string& template_page);

}  // namespace modmem::tools
