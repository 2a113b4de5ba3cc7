// Traces for tests: from text, without a file.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event.hpp"
#include "trace/file_source.hpp"
#include "trace/reader.hpp"

namespace modmem::trace::testing {

inline constexpr std::string_view kHeader = "time_us,op,id,bytes,alignment,flags,caller\n";
inline constexpr std::string_view kOwnersHeader =
    "time_us,op,id,bytes,alignment,flags,caller,owner\n";

// A file that holds `text`.
inline std::FILE* file_of(std::string_view text) {
  std::FILE* file = std::tmpfile();
  std::fwrite(text.data(), 1, text.size(), file);
  std::rewind(file);
  return file;
}

inline Reader reader_of(std::string_view text) { return {file_of(text), "test"}; }

inline std::vector<Record> records_of(std::string_view text) {
  Reader reader = reader_of(text);
  std::vector<Record> records;
  Record record;
  while (reader.next(record)) {
    records.push_back(record);
  }
  return records;
}

// All events of a source, read `batch` at a time.
inline std::vector<Event> drain(EventSource& source, std::size_t batch = 64) {
  std::vector<Event> events;
  std::vector<Event> some(batch);
  while (const std::size_t count = source.read(some)) {
    events.insert(events.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return events;
}

inline std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    text += part;
  }
  return text;
}

}  // namespace modmem::trace::testing
