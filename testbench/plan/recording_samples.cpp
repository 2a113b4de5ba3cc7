#include "testbench/plan/recording_samples.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/pipeline_instance.hpp"
#include "testbench/stream_graph.hpp"
#include "trace/ctf_events.hpp"
#include "trace/ctf_fields.hpp"
#include "trace/trace_error.hpp"

namespace modmem::testbench {

namespace {

namespace field = trace::field;
using Fields = std::array<std::uint64_t, trace::CtfEvent::kMostFields>;

// What the testbench itself takes on a module's account (Component), in a plan as in a run.
constexpr std::string_view kOwnFile = "testbench/component.cpp:";
constexpr std::string_view kPlaceholderFile = "testbench/modules/placeholder.cpp:";

struct Life {
  SampledLife life;
  std::uint32_t pipeline = 0;
  bool failed = false;
  bool is_placeholder = false;
};

struct Account {
  std::optional<std::size_t> life;  // into Collector::lives_
};

struct LiveBlock {
  std::size_t life = 0;
  bool prepares = false;
  std::size_t request = 0;
  std::uint64_t epoch = 0;
};

struct PipelineState {
  std::uint64_t state = 0;
  std::uint64_t epoch = 0;  // how often it has changed
  std::vector<std::size_t> lives;
};

std::string kind_name(const Widget& widget) {
  if (const ModuleInfo* known = find_module(*widget.uuid)) {
    return std::string(known->name);
  }
  return widget.name.substr(0, widget.name.find('.'));
}

class Collector {
 public:
  Collector(const Topology& topology, const StreamGraph& graph, const FootprintTable& table)
      : topology_(topology), graph_(graph), table_(table) {
    for (const StreamNode& node : graph.nodes) {
      nodes_[node.component_id] = &node;
    }
  }

  void take(const trace::CtfEvent& event) {
    const Fields& fields = event.fields;
    switch (event.kind) {
      case EventKind::site_name:
        name_site(event);
        break;
      case EventKind::owner_begin:
        begin_owner(fields);
        break;
      case EventKind::owner_end:
        end_owner(fields[field::kEnded]);
        break;
      case EventKind::allocate:
        allocate(fields, fields[field::kBytes], 0);
        break;
      case EventKind::range:
        allocate(fields, fields[field::kPreferred], fields[field::kLeast]);
        break;
      case EventKind::resize:
        resize(fields);
        break;
      case EventKind::free:
        free(field::key_of(fields[field::kFreeMemory], fields[field::kFreePlace]));
        break;
      case EventKind::pipeline:
        change_state(static_cast<std::uint32_t>(fields[0]), fields[1]);
        break;
      default:
        break;
    }
  }

  // Lives that end with the trace.
  void finish() {
    while (!accounts_.empty()) {
      end_owner(accounts_.begin()->first);
    }
  }

  std::vector<SampledLife>& complete() { return complete_; }
  // Of modules that were seen without a life that counts.
  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    for (const auto& [name, counted] : counted_) {
      if (!counted) {
        notes.push_back(name + (placeholders_.count(name) != 0
                                    ? ": a placeholder ran in its place"
                                    : ": not seen to be created and prepared"));
      }
    }
    return notes;
  }

 private:
  void name_site(const trace::CtfEvent& event) {
    std::string text = event.text;
    while (text.starts_with("../")) {
      text.erase(0, 3);
    }
    const std::uint64_t line = event.fields[field::kLine];
    sites_[event.fields[field::kNumber]] = line != 0 ? text + ":" + std::to_string(line) : text;
  }

  void begin_owner(const Fields& fields) {
    const std::uint64_t handle = fields[field::kHandle];
    if (handle == event::kNone) {
      return;
    }
    Account account;
    const auto node = nodes_.find(static_cast<std::uint32_t>(fields[field::kId]));
    const auto parent = accounts_.find(fields[field::kParent]);
    const bool below = parent != accounts_.end() && parent->second.life;
    if (below) {
      account.life = parent->second.life;  // of a loaded module
    } else if (fields[field::kKind] == static_cast<std::uint64_t>(OwnerKind::module) &&
               node != nodes_.end()) {
      account.life = begin_life(*node->second);
    }
    accounts_[handle] = account;
    if (account.life && !below) {
      owners_[*account.life] = handle;
    }
  }

  std::size_t begin_life(const StreamNode& node) {
    const std::size_t number = next_++;
    Life& life = lives_[number];
    const Footprint* const known = table_.find(*node.widget->uuid);
    life.life.uuid = *node.widget->uuid;
    life.life.name = known != nullptr ? known->name : kind_name(*node.widget);
    life.life.facts =
        facts_of(graph_, node, known != nullptr ? known->parameters : std::vector<Parameter>());
    life.pipeline = topology_.pipelines[node.pipeline].id;
    widgets_[number] = node.widget->name;
    counted_.try_emplace(node.widget->name, false);
    return number;
  }

  void end_owner(std::uint64_t handle) {
    const auto account = accounts_.find(handle);
    if (account == accounts_.end()) {
      return;
    }
    const std::optional<std::size_t> number = account->second.life;
    accounts_.erase(account);
    const auto owner = number ? owners_.find(*number) : owners_.end();
    if (owner == owners_.end() || owner->second != handle) {
      return;
    }
    owners_.erase(owner);
    const auto life = lives_.find(*number);
    if (life->second.is_placeholder) {
      placeholders_.insert(widgets_[*number]);
    } else if (!life->second.failed && prepared_[*number]) {
      counted_[widgets_[*number]] = true;
      complete_.push_back(std::move(life->second.life));
    }
    lives_.erase(life);
  }

  // The life of the module that an account is of, nullptr where it is of none.
  std::map<std::size_t, Life>::iterator life_of(std::uint64_t handle) {
    const auto account = accounts_.find(handle);
    return account != accounts_.end() && account->second.life ? lives_.find(*account->second.life)
                                                              : lives_.end();
  }

  void allocate(const Fields& fields, std::uint64_t bytes, std::uint64_t least) {
    const auto found = life_of(fields[field::kOwner]);
    if (found == lives_.end()) {
      return;
    }
    Life& life = found->second;
    const PipelineState& pipeline = pipelines_[life.pipeline];
    const auto site = sites_.find(fields[field::kSite]);
    SampledRequest request{
        .site = site != sites_.end() ? site->second : "unknown",
        .bytes = bytes,
        .least = least,
        .alignment = event::alignment_of(static_cast<std::uint8_t>(fields[field::kAlignment])),
        .flags = static_cast<Flags>(fields[field::kIntent]) << event::kFlagsShift};
    life.is_placeholder = life.is_placeholder || request.site.starts_with(kPlaceholderFile);
    life.failed = life.failed || fields[field::kPlace] == event::kNoPlace;
    if (request.site.starts_with(kOwnFile) ||
        pipeline.state > static_cast<std::uint64_t>(PlayState::reset)) {
      return;
    }
    const bool prepares = pipeline.state != 0;
    std::vector<SampledRequest>& phase = prepares ? life.life.prepare : life.life.init;
    blocks_[field::key_of(fields[field::kMemory], fields[field::kPlace])] = {
        found->first, prepares, phase.size(), pipeline.epoch};
    phase.push_back(std::move(request));
  }

  SampledRequest* request_of(const LiveBlock& block) {
    const auto life = lives_.find(block.life);
    if (life == lives_.end()) {
      return nullptr;
    }
    SampledLife& sampled = life->second.life;
    return &(block.prepares ? sampled.prepare : sampled.init)[block.request];
  }

  void resize(const Fields& fields) {
    const auto found =
        blocks_.find(field::key_of(fields[field::kOldMemory], fields[field::kOldPlace]));
    if (found == blocks_.end() || fields[field::kPlace] == event::kNoPlace) {
      return;
    }
    const LiveBlock block = found->second;
    blocks_.erase(found);
    blocks_[field::key_of(fields[field::kMemory], fields[field::kPlace])] = block;
    if (SampledRequest* const request = request_of(block)) {
      request->bytes = fields[field::kBytes];
    }
  }

  void free(std::uint64_t key) {
    const auto found = blocks_.find(key);
    if (found == blocks_.end()) {
      return;
    }
    const LiveBlock block = found->second;
    blocks_.erase(found);
    SampledRequest* const request = request_of(block);
    if (request != nullptr) {
      const PipelineState& pipeline = pipelines_[lives_.at(block.life).pipeline];
      request->temporary = pipeline.epoch == block.epoch;
    }
  }

  void change_state(std::uint32_t id, std::uint64_t state) {
    PipelineState& pipeline = pipelines_[id];
    pipeline.state = state;
    ++pipeline.epoch;
    if (state >= static_cast<std::uint64_t>(PlayState::paused)) {
      for (const auto& [number, life] : lives_) {
        if (life.pipeline == id) {
          prepared_[number] = true;
        }
      }
    }
  }

  const Topology& topology_;
  const StreamGraph& graph_;
  const FootprintTable& table_;
  std::map<std::uint32_t, const StreamNode*> nodes_;  // by component id
  std::unordered_map<std::uint64_t, std::string> sites_;
  std::map<std::uint64_t, Account> accounts_;    // by handle
  std::map<std::size_t, Life> lives_;            // of modules that exist
  std::map<std::size_t, std::uint64_t> owners_;  // the handle of each life
  std::map<std::size_t, std::string> widgets_;   // of each life
  std::map<std::size_t, bool> prepared_;         // lives that came so far
  std::set<std::string> placeholders_;           // widgets
  std::map<std::string, bool> counted_;          // by widget
  std::unordered_map<std::uint64_t, LiveBlock> blocks_;
  std::map<std::uint32_t, PipelineState> pipelines_;  // by id
  std::vector<SampledLife> complete_;
  std::size_t next_ = 0;
};

}  // namespace

void sample_recording(const std::filesystem::path& directory, const RecordedTopology& recorded,
                      const FootprintTable& table, RecordingSamples& samples) {
  const Topology topology = load_topology(recorded.file);
  const StreamGraph graph = build_graph(topology, recorded.pipelines, recorded.format);
  try {
    trace::CtfEvents events(directory);
    Collector collector(topology, graph, table);
    trace::CtfEvent event;
    while (events.next(event)) {
      collector.take(event);
    }
    collector.finish();
    samples.lives.insert(samples.lives.end(), std::make_move_iterator(collector.complete().begin()),
                         std::make_move_iterator(collector.complete().end()));
    samples.problems.insert(samples.problems.end(), events.problems().begin(),
                            events.problems().end());
    if (events.lost() != 0) {
      samples.problems.push_back(directory.string() + ": " + std::to_string(events.lost()) +
                                 " events were lost");
    }
    for (const std::string& note : collector.notes()) {
      samples.notes.push_back(directory.string() + ": " + note);
    }
  } catch (const trace::TraceError& error) {
    throw InputError(error.what());
  }
}

}  // namespace modmem::testbench
