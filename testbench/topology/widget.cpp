#include "testbench/topology/widget.hpp"

#include <algorithm>
#include <array>

#include "testbench/topology/tokens.hpp"

namespace modmem::testbench {
namespace {

// The width of the core field in an IPC4 message.
constexpr std::uint32_t kMaxCores = 16;

constexpr std::array<std::string_view, SND_SOC_TPLG_DAPM_LAST + 1> kTypeNames = {
    "input",   "output",   "mux",    "mixer",     "pga",    "out_driver",       "adc",
    "dac",     "switch",   "pre",    "post",      "aif_in", "aif_out",          "dai_in",
    "dai_out", "dai_link", "buffer", "scheduler", "effect", "signal_generator", "src",
    "asrc",    "encoder",  "decoder"};

std::uint32_t pin_count(const Tuples& tuples, std::uint32_t token, const ByteReader& reader) {
  const std::uint32_t pins = tuples.number(token).value_or(0);
  if (pins > kMaxPins) {
    reader.fail("declares " + std::to_string(pins) + " pins on one side, at most " +
                std::to_string(kMaxPins) + " are possible");
  }
  return pins;
}

std::vector<std::string> pin_bindings(const Tuples& tuples, std::uint32_t token,
                                      const ByteReader& reader) {
  std::vector<std::string> bindings = tuples.strings(token);
  if (bindings.size() > kMaxPins) {
    reader.fail("binds " + std::to_string(bindings.size()) + " pins on one side, at most " +
                std::to_string(kMaxPins) + " are possible");
  }
  return bindings;
}

std::optional<Direction> direction(const Tuples& tuples, const ByteReader& reader) {
  const std::optional<std::uint32_t> value = tuples.number(token::kDirection);
  if (!value) {
    return std::nullopt;
  }
  if (*value > 1) {
    reader.fail("has an impossible direction: " + std::to_string(*value));
  }
  return static_cast<Direction>(*value);
}

// Compilers write the domain's name; the driver's numbers for the names are taken as well.
SchedulerDomain scheduler_domain(const Tuples& tuples, const ByteReader& reader) {
  if (const std::optional<std::string> name = tuples.string(token::kSchedulerDomain)) {
    if (*name == "LL") {
      return SchedulerDomain::low_latency;
    }
    if (*name == "DP") {
      return SchedulerDomain::data_processing;
    }
    reader.fail("has an unknown scheduler domain: '" + *name + "'");
  }
  const std::uint32_t value = tuples.number(token::kSchedulerDomain).value_or(0);
  if (value > static_cast<std::uint32_t>(SchedulerDomain::data_processing)) {
    reader.fail("has an unknown scheduler domain: " + std::to_string(value));
  }
  return static_cast<SchedulerDomain>(value);
}

void decode(Widget& widget, const ByteReader& reader) {
  const Tuples& tuples = widget.tuples;
  widget.core = tuples.number(token::kCoreId);
  if (widget.core.value_or(0) >= kMaxCores) {
    reader.fail("has an impossible core: " + std::to_string(*widget.core));
  }
  widget.cycles_per_chunk = tuples.number(token::kCyclesPerChunk);
  widget.is_pages = tuples.number(token::kIsPages);
  widget.scheduler_domain = scheduler_domain(tuples, reader);
  widget.domain_id = tuples.number(token::kDomainId);
  widget.stack_bytes = tuples.number(token::kStackBytes);
  widget.heap_bytes = tuples.number(token::kHeapBytes);
  widget.input_pins = pin_count(tuples, token::kInputPins, reader);
  widget.output_pins = pin_count(tuples, token::kOutputPins, reader);
  widget.input_bindings = pin_bindings(tuples, token::kInputPinBinding, reader);
  widget.output_bindings = pin_bindings(tuples, token::kOutputPinBinding, reader);
  widget.inputs = decode_pin_formats(tuples, PinSide::input, reader);
  widget.outputs = decode_pin_formats(tuples, PinSide::output, reader);
  widget.direction = direction(tuples, reader);
  if (std::optional<std::string> type = tuples.string(token::kDaiType)) {
    widget.dai = DaiSettings{.type = *std::move(type),
                             .index = tuples.number(token::kDaiIndex).value_or(0),
                             .dmac_config = tuples.number(token::kDaiDmacConfig)};
  }
  if (const std::optional<std::uint32_t> curve = tuples.number(token::kGainCurveType)) {
    widget.gain =
        GainSettings{.curve_type = *curve,
                     .curve_duration = tuples.number(token::kGainCurveDuration).value_or(0),
                     .initial_value = tuples.number(token::kGainInitialValue).value_or(0)};
  }
  widget.mix_type = tuples.number(token::kMixType);
  widget.src_rate_in = tuples.number(token::kSrcRateIn);
  widget.src_rate_out = tuples.number(token::kSrcRateOut);
  widget.asrc_rate_out = tuples.number(token::kAsrcRateOut);
  widget.buffer_size = tuples.number(token::kBufferSize);
  widget.buffer_caps = tuples.number(token::kBufferCaps);
  widget.copier_node_type = tuples.number(token::kCopierNodeType);
  widget.deep_buffer_ms = tuples.number(token::kCopierDeepBufferMs);
}

}  // namespace

std::string_view to_string(WidgetType type) {
  return kTypeNames.at(static_cast<std::size_t>(type));
}

Widget parse_widget(ByteReader& reader, std::uint32_t group) {
  const std::size_t start = reader.offset();
  const auto record = reader.take_record<snd_soc_tplg_dapm_widget>("a widget");
  Widget widget;
  widget.name = reader.text(record.name, start, "a widget's name");
  if (widget.name.empty()) {
    reader.fail_at(start, "a widget without a name");
  }
  const std::string what = "widget '" + widget.name + "'";
  reader.require_size(record.size, asoc::kRecordSize<snd_soc_tplg_dapm_widget>, start, what);
  widget.stream_name = reader.text(record.sname, start, what + ", its stream name");
  if (record.id > SND_SOC_TPLG_DAPM_LAST) {
    reader.fail_at(start, what + " is of unknown type " + std::to_string(record.id));
  }
  widget.type = static_cast<WidgetType>(record.id);
  widget.group = group;

  ByteReader private_data = reader.take_reader(record.priv.size, what + ", its private data");
  private_data.set_context(what);
  widget.tuples = parse_tuples(private_data);
  widget.uuid = widget.tuples.uuid(token::kUuid);
  if (widget.is_module()) {
    decode(widget, private_data);
  }

  if (record.num_kcontrols > reader.remaining() / asoc::kRecordSize<snd_soc_tplg_ctl_hdr>) {
    reader.fail_at(start, what + " declares " + std::to_string(record.num_kcontrols) +
                              " controls, which cannot fit in the " +
                              std::to_string(reader.remaining()) + " bytes left");
  }
  for (std::uint32_t i = 0; i < record.num_kcontrols; ++i) {
    widget.controls.push_back(parse_control(reader));
  }
  return widget;
}

}  // namespace modmem::testbench
