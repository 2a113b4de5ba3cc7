#include "tools/live_picture.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace modmem::tools {

namespace {

constexpr double kPeriodsOfASecond = 1000;

__attribute__((format(printf, 1, 2))) std::string format(const char* text, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, text);
  std::vsnprintf(line, sizeof line, text, arguments);
  va_end(arguments);
  return line;
}

// A number with its thousands apart.
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

// Names come from topologies, which may hold anything.
std::string printable(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c >= '\x7f'; }, '?');
  return name;
}

std::string fit(const std::string& name, std::size_t width) {
  return name.size() <= width ? name : name.substr(0, width - 2) + "..";
}

std::string clock(std::uint64_t periods) {
  const auto seconds = static_cast<unsigned long long>(periods / 1000);
  return format("%llu:%02llu:%02llu.%03u", seconds / 3600, seconds / 60 % 60, seconds % 60,
                static_cast<unsigned>(periods % 1000));
}

const char* to_text(testbench::PlayState state) {
  switch (state) {
    case testbench::PlayState::absent:
      return "absent";
    case testbench::PlayState::reset:
      return "reset";
    case testbench::PlayState::paused:
      return "paused";
    case testbench::PlayState::running:
      return "running";
  }
  return "unknown";
}

// "[######....]" of `width` columns.
std::string bar(std::uint64_t part, std::uint64_t whole, std::size_t width) {
  const std::size_t inner = width - 2;
  const std::size_t filled =
      whole == 0 ? 0 : static_cast<std::size_t>((part * inner + whole - 1) / whole);
  return "[" + std::string(filled, '#') + std::string(inner - filled, '.') + "]";
}

}  // namespace

void LivePicture::add(std::string text, ScreenLine::Look look) {
  lines_.push_back({std::move(text), look});
}

void LivePicture::note(const testbench::System& system, std::uint64_t period) {
  period_ = period;
  count(system.memory().system());
}

// Numbers of owners are used again: one that has counted less than before is another one.
void LivePicture::count(const Owner& owner) {
  Counts& before = counts_[owner.handle];
  if (owner.allocations < before.allocations || owner.frees < before.frees ||
      owner.failures < before.failures) {
    before = {};
  }
  all_.allocations += owner.allocations - before.allocations;
  all_.frees += owner.frees - before.frees;
  all_.failures += owner.failures - before.failures;
  before.allocations = owner.allocations;
  before.frees = owner.frees;
  before.failures = owner.failures;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    count(*child);
  }
}

double LivePicture::a_second(std::uint64_t events) const {
  const std::uint64_t periods = period_ - drawn_;
  return periods == 0
             ? 0
             : static_cast<double>(events) * kPeriodsOfASecond / static_cast<double>(periods);
}

std::vector<ScreenLine> LivePicture::draw(const testbench::System& system,
                                          const testbench::Session& session, std::uint64_t total,
                                          Screen::Size size, const std::string& speed) {
  const Memory& memory = system.memory();
  const PagePool& pool = memory.pool();
  lines_.clear();
  add(printable(title_) + " on " + memory.config().name + ", policy " + memory.policy().name +
          ":  " + clock(period_) + " of " + clock(total) + speed,
      ScreenLine::Look::head);
  const std::size_t page = config::kPageBytes;
  add(format("live   %14s B   peak %14s B", grouped(memory.system().tree).c_str(),
             grouped(memory.system().tree_peak).c_str()));
  add(format("mapped %14s B   peak %14s B   %s %s of %s frames",
             grouped(pool.taken() * page).c_str(), grouped(pool.peak_taken() * page).c_str(),
             bar(pool.taken(), pool.frames(), 22).c_str(), grouped(pool.taken()).c_str(),
             grouped(pool.frames()).c_str()));
  add(format("banks  %14u on  peak %14u on  of %u", pool.banks_on(), pool.banks_on_peak(),
             pool.banks()));
  add(format("a second: %.0f allocated, %.0f freed, %.0f failed;  %s xruns",
             a_second(all_.allocations - all_drawn_.allocations),
             a_second(all_.frees - all_drawn_.frees), a_second(all_.failures - all_drawn_.failures),
             grouped(session.xruns()).c_str()));
  if (const auto& failure = system.first_failure()) {
    add(format("%s failed;  the first: %s B for %s", grouped(all_.failures).c_str(),
               grouped(failure->figures.bytes).c_str(), printable(failure->owner).c_str()),
        ScreenLine::Look::alarm);
  }
  draw_banks(pool, size);
  draw_streams(session, size.columns);
  draw_owners(memory, size);
  all_drawn_ = all_;
  drawn_ = period_;
  for (ScreenLine& line : lines_) {
    line.text.resize(std::min(line.text.size(), size.columns));
  }
  lines_.resize(std::min(lines_.size(), size.rows));
  return lines_;
}

// A bar for each bank; where these take more than a quarter of the screen, a digit.
void LivePicture::draw_banks(const PagePool& pool, Screen::Size size) {
  constexpr std::size_t kWidth = 26;
  const std::size_t in_a_line = std::max<std::size_t>(size.columns / kWidth, 1);
  std::string line;
  add("");
  if (pool.banks() > in_a_line * (size.rows / 4)) {
    for (std::uint32_t i = 0; i < pool.banks(); ++i) {
      const Bank bank{static_cast<std::uint16_t>(i)};
      const std::uint32_t tenths = pool.taken_in(bank) * 9 / std::max(pool.frames_in(bank), 1U);
      line += pool.is_powered(bank) ? static_cast<char>('0' + tenths) : '.';
    }
    add("banks  " + line + "  (. off, 0 empty, 9 full)");
    return;
  }
  for (std::uint32_t i = 0; i < pool.banks(); ++i) {
    const Bank bank{static_cast<std::uint16_t>(i)};
    const std::string text =
        pool.is_powered(bank) ? format("%3u %s %3u/%-3u", i,
                                       bar(pool.taken_in(bank), pool.frames_in(bank), 12).c_str(),
                                       pool.taken_in(bank), pool.frames_in(bank))
                              : format("%3u  off", i);
    line += text + std::string(text.size() < kWidth ? kWidth - text.size() : 0, ' ');
    if ((i + 1) % in_a_line == 0 || i + 1 == pool.banks()) {
      line.erase(line.find_last_not_of(' ') + 1);
      add(std::exchange(line, ""));
    }
  }
}

void LivePicture::draw_streams(const testbench::Session& session, std::size_t columns) {
  std::string line;
  for (std::size_t i = 0; i < session.streams().size(); ++i) {
    if (session.state(i) == testbench::PlayState::absent) {
      continue;
    }
    const std::string stream =
        printable(to_string(session.streams()[i])) + " " + to_text(session.state(i));
    if (line.empty()) {
      add("");
      line = "streams: " + stream;
    } else if (line.size() + 2 + stream.size() >= columns) {
      add(line + ",");
      line = "         " + stream;
    } else {
      line += ", " + stream;
    }
  }
  if (!line.empty()) {
    add(line);
  }
}

// Rows of an owner and all below it, the largest first.
void LivePicture::add_rows(const Owner& owner, std::size_t depth) {
  Counts& counts = counts_[owner.handle];
  rows_.push_back(
      {&owner, depth, a_second(owner.allocations - std::min(owner.allocations, counts.drawn))});
  counts.drawn = owner.allocations;
  std::vector<const Owner*> children;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    children.push_back(child);
  }
  std::sort(children.begin(), children.end(), [](const Owner* a, const Owner* b) {
    return std::pair(a->tree, b->spec.id) > std::pair(b->tree, a->spec.id);
  });
  for (const Owner* child : children) {
    add_rows(*child, depth + 1);
  }
}

// Where there are more than `room`: those furthest down go first, and of these the smallest.
void LivePicture::leave_out_small_ones(std::size_t room) {
  left_out_ = 0;
  if (rows_.size() <= room) {
    return;
  }
  std::vector<const Row*> order;
  for (const Row& row : rows_) {
    order.push_back(&row);
  }
  std::stable_sort(order.begin(), order.end(), [](const Row* a, const Row* b) {
    return std::pair(a->depth, b->owner->tree) < std::pair(b->depth, a->owner->tree);
  });
  std::vector<bool> stays(rows_.size());
  for (std::size_t i = 0; i < room; ++i) {
    stays[static_cast<std::size_t>(order[i] - rows_.data())] = true;
  }
  std::vector<Row> left;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (stays[i]) {
      left.push_back(rows_[i]);
    }
  }
  left_out_ = rows_.size() - left.size();
  rows_ = std::move(left);
}

void LivePicture::draw_owners(const Memory& memory, Screen::Size size) {
  constexpr std::size_t kNumbers = 61;  // columns
  std::unordered_map<const Owner*, std::size_t> mapped;
  memory.for_each_heap([&](const HeapReport& heap) {
    if (heap.owner != nullptr) {
      mapped[heap.owner] += heap.mapped_bytes;
    }
  });
  rows_.clear();
  add_rows(memory.system(), 0);
  // Two for the heads, and one to say what is left out.
  const std::size_t used = lines_.size() + 3;
  leave_out_small_ones(size.rows > used ? size.rows - used : 0);
  const std::size_t width =
      std::clamp<std::size_t>(size.columns > kNumbers ? size.columns - kNumbers : 0, 12, 48);
  const auto columns = static_cast<int>(width);
  add("");
  add(format("%-*s %12s %12s %12s %9s %5s %5s", columns, "owner", "live B", "peak B", "mapped B",
             "allocated", "a sec", "fails"),
      ScreenLine::Look::head);
  for (const Row& row : rows_) {
    const Owner& owner = *row.owner;
    const std::string name =
        fit(std::string(2 * row.depth, ' ') + printable(owner.spec.name), width);
    const auto held = mapped.find(&owner);
    add(format("%-*s %12s %12s %12s %9s %5.0f %5s", columns, name.c_str(),
               grouped(owner.tree).c_str(), grouped(owner.tree_peak).c_str(),
               held != mapped.end() ? grouped(held->second).c_str() : "",
               grouped(owner.allocations).c_str(), row.rate, grouped(owner.failures).c_str()),
        owner.failures != 0 ? ScreenLine::Look::alarm : ScreenLine::Look::plain);
  }
  if (left_out_ != 0) {
    add(format("and %s more", grouped(left_out_).c_str()), ScreenLine::Look::dim);
  }
}

}  // namespace modmem::tools
