// The page of `modmem report`: tools/report_page.html, as web/ builds it.
#pragma once

#include <string_view>

namespace modmem::tools {

extern const std::string_view kReportPage;

}  // namespace modmem::tools
