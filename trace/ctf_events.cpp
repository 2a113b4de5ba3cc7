#include "trace/ctf_events.hpp"

#include <babeltrace2/babeltrace.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "trace/ctf_fields.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

// A graph of libbabeltrace2: the files of the trace, one order, and a sink that takes the events.
class CtfEvents::Graph {
 public:
  // Delegates, so that what is there already is given back where the rest is not to be had.
  explicit Graph(CtfEvents& events) : Graph(&events) {
    source_plugin_ = plugin("ctf");
    filter_plugin_ = plugin("utils");
    graph_ = bt_graph_create(0);
    require(graph_ != nullptr, "no graph");
    build();
  }
  ~Graph() {
    bt_graph_put_ref(graph_);
    bt_plugin_put_ref(source_plugin_);
    bt_plugin_put_ref(filter_plugin_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Lets some events come. Returns false at the end.
  bool run() {
    const bt_graph_run_once_status status = bt_graph_run_once(graph_);
    if (status == BT_GRAPH_RUN_ONCE_STATUS_AGAIN) {
      return true;
    }
    if (status != BT_GRAPH_RUN_ONCE_STATUS_OK && status != BT_GRAPH_RUN_ONCE_STATUS_END) {
      clear_error();
      events_.problems_.push_back(events_.name_ + ": behind event " +
                                  std::to_string(events_.next_) + ": babeltrace can't read on");
      return false;
    }
    return status == BT_GRAPH_RUN_ONCE_STATUS_OK;
  }

 private:
  explicit Graph(CtfEvents* events) : events_(*events) {}

  static constexpr std::size_t kNoField = std::numeric_limits<std::size_t>::max();

  static void clear_error() {
    if (const bt_error* error = bt_current_thread_take_error()) {
      bt_error_release(error);
    }
  }

  void require(bool done, const char* what) const {
    if (!done) {
      clear_error();
      throw TraceError(events_.name_ + ": babeltrace can't open it: " + what);
    }
  }

  const bt_plugin* plugin(const char* name) const {
    const bt_plugin* found = nullptr;
    require(bt_plugin_find(name, BT_TRUE, BT_TRUE, BT_TRUE, BT_TRUE, BT_FALSE, &found) ==
                BT_PLUGIN_FIND_STATUS_OK,
            name);
    return found;
  }

  void build() {
    bt_value* parameters = bt_value_map_create();
    bt_value* inputs = nullptr;
    require(parameters != nullptr &&
                bt_value_map_insert_empty_array_entry(parameters, "inputs", &inputs) ==
                    BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK &&
                bt_value_array_append_string_element(inputs, events_.files_.path().c_str()) ==
                    BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK,
            "no memory");
    const bt_component_source* source = nullptr;
    const auto added = bt_graph_add_source_component(
        graph_, bt_plugin_borrow_source_component_class_by_name_const(source_plugin_, "fs"), "in",
        parameters, BT_LOGGING_LEVEL_NONE, &source);
    bt_value_put_ref(parameters);
    require(added == BT_GRAPH_ADD_COMPONENT_STATUS_OK, "its metadata or streams do not hold");
    const bt_component_filter* muxer = nullptr;
    require(
        bt_graph_add_filter_component(
            graph_, bt_plugin_borrow_filter_component_class_by_name_const(filter_plugin_, "muxer"),
            "muxer", nullptr, BT_LOGGING_LEVEL_NONE, &muxer) == BT_GRAPH_ADD_COMPONENT_STATUS_OK,
        "no muxer");
    const bt_component_sink* sink = nullptr;
    require(bt_graph_add_simple_sink_component(graph_, "sink", begin, consume, end, this, &sink) ==
                BT_GRAPH_ADD_COMPONENT_STATUS_OK,
            "no sink");
    // The muxer has another input as soon as the last one is connected.
    const std::uint64_t ports = bt_component_source_get_output_port_count(source);
    for (std::uint64_t i = 0; i < ports; ++i) {
      connect(bt_component_source_borrow_output_port_by_index_const(source, i),
              bt_component_filter_borrow_input_port_by_index_const(muxer, i));
    }
    connect(bt_component_filter_borrow_output_port_by_index_const(muxer, 0),
            bt_component_sink_borrow_input_port_by_index_const(sink, 0));
  }

  void connect(const bt_port_output* from, const bt_port_input* to) const {
    require(bt_graph_connect_ports(graph_, from, to, nullptr) == BT_GRAPH_CONNECT_PORTS_STATUS_OK,
            "ports");
  }

  // --- the sink's functions ---

  static bt_graph_simple_sink_component_initialize_func_status begin(bt_message_iterator* messages,
                                                                     void* self) {
    static_cast<Graph*>(self)->messages_ = messages;
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_INITIALIZE_FUNC_STATUS_OK;
  }

  static void end(void* self) { static_cast<void>(self); }

  static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator* messages,
                                                                    void* self) {
    bt_message_array_const array = nullptr;
    std::uint64_t count = 0;
    switch (bt_message_iterator_next(messages, &array, &count)) {
      case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
      case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_END;
      case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_AGAIN;
      default:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_ERROR;
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      static_cast<Graph*>(self)->take(array[i]);
      bt_message_put_ref(array[i]);
    }
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_OK;
  }

  void take(const bt_message* message) {
    if (bt_message_get_type(message) != BT_MESSAGE_TYPE_EVENT) {
      return;
    }
    const bt_event* event = bt_message_event_borrow_event_const(message);
    const bt_event_class* type = bt_event_borrow_class_const(event);
    CtfEvent taken;
    taken.kind = static_cast<EventKind>(bt_event_class_get_id(type));
    taken.time_us =
        bt_clock_snapshot_get_value(bt_message_event_borrow_default_clock_snapshot_const(message));
    taken.core = static_cast<std::uint32_t>(
        bt_field_integer_unsigned_get_value(bt_field_structure_borrow_member_field_by_name_const(
            bt_packet_borrow_context_field_const(bt_event_borrow_packet_const(event)), "cpu_id")));
    const bt_field* payload = bt_event_borrow_payload_field_const(event);
    const std::uint64_t members =
        bt_field_class_structure_get_member_count(bt_field_borrow_class_const(payload));
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < members; ++i) {
      const bt_field* field = bt_field_structure_borrow_member_field_by_index_const(payload, i);
      if (bt_field_get_class_type(field) == BT_FIELD_CLASS_TYPE_STRING) {
        taken.text = bt_field_string_get_value(field);
      } else if (at < taken.fields.size()) {
        taken.fields[at++] = bt_field_integer_unsigned_get_value(field);
      }
    }
    events_.take(std::move(taken));
  }

  CtfEvents& events_;
  const bt_plugin* source_plugin_ = nullptr;
  const bt_plugin* filter_plugin_ = nullptr;
  bt_graph* graph_ = nullptr;
  bt_message_iterator* messages_ = nullptr;
};

CtfEvents::CtfEvents(const std::filesystem::path& directory)
    : name_(directory.string()), files_(directory), platform_(files_.environment().platform()) {
  rewind();
}

CtfEvents::~CtfEvents() = default;

void CtfEvents::rewind() {
  graph_.reset();
  streams_.clear();
  next_ = 0;
  time_us_ = 0;
  lost_ = 0;
  ended_ = false;
  went_back_ = false;
  problems_ = files_.problems();
  graph_ = std::make_unique<Graph>(*this);
}

void CtfEvents::take(CtfEvent&& event) {
  time_us_ = event.time_us;
  Stream& stream = streams_[event.core];
  if (event.kind == EventKind::anchor) {
    stream.number = event.fields[field::kNumber];
    return;
  }
  event.number = stream.number++;
  stream.events.push_back(std::move(event));
}

bool CtfEvents::next(CtfEvent& event) {
  for (;;) {
    Stream* first = nullptr;
    for (auto& [core, stream] : streams_) {
      if (!stream.events.empty() &&
          (first == nullptr || stream.events.front().number < first->events.front().number)) {
        first = &stream;
      }
    }
    if (first == nullptr && ended_) {
      return false;
    }
    // The next one in order; another one only where that will not come any more.
    if (first != nullptr && (first->events.front().number <= next_ || ended_ ||
                             first->events.front().time_us < time_us_)) {
      if (first->events.front().number < next_ && !went_back_) {
        went_back_ = true;
        problems_.push_back(name_ + ": behind event " + std::to_string(next_ - 1) +
                            ": the numbers of events go back to " +
                            std::to_string(first->events.front().number));
      }
      event = std::move(first->events.front());
      first->events.pop_front();
      lost_ += event.number > next_ ? event.number - next_ : 0;
      next_ = std::max(next_, event.number + 1);
      return true;
    }
    ended_ = ended_ || !graph_->run();
  }
}

bool is_recorded(const std::string& path) {
  return std::filesystem::is_directory(path) && !CtfEnvironment(path).is_converted();
}

}  // namespace modmem::trace
