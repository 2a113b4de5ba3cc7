// TextTable: rows of cells in columns, the first to the left and all others to the right.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace modmem::tools {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

  // As many cells as the header has.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string to_text(const std::string& indent = "") const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], row[i].size());
      }
    }
    std::string text;
    for (const auto& row : rows_) {
      std::string line = indent + row.front() + std::string(widths[0] - row[0].size(), ' ');
      for (std::size_t i = 1; i < row.size(); ++i) {
        line += std::string(widths[i] - row[i].size() + 2, ' ') + row[i];
      }
      text += line.erase(line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace modmem::tools
