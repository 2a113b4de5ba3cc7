// The widgets of a topology: modules, schedulers (one per pipeline), and virtual ends of routes.
//
// A widget that carries a UUID is a module: something that firmware instantiates. Its pipeline is
// the one whose scheduler widget stands in the same group. A widget without a UUID is a scheduler
// or exists for the host only (virtual widgets, codec inputs and outputs): those keep pipeline
// empty even where their group's number equals that of a pipeline, which happens.
//
// Optional members are what a file may leave out; there are no made-up values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "testbench/topology/control.hpp"
#include "testbench/topology/pin_format.hpp"
#include "testbench/topology/tuples.hpp"
#include "testbench/topology/uuid.hpp"

namespace modmem::testbench {

enum class WidgetType : std::uint32_t {
  input = SND_SOC_TPLG_DAPM_INPUT,
  output = SND_SOC_TPLG_DAPM_OUTPUT,
  mux = SND_SOC_TPLG_DAPM_MUX,
  mixer = SND_SOC_TPLG_DAPM_MIXER,
  pga = SND_SOC_TPLG_DAPM_PGA,
  out_driver = SND_SOC_TPLG_DAPM_OUT_DRV,
  adc = SND_SOC_TPLG_DAPM_ADC,
  dac = SND_SOC_TPLG_DAPM_DAC,
  switch_control = SND_SOC_TPLG_DAPM_SWITCH,
  pre = SND_SOC_TPLG_DAPM_PRE,
  post = SND_SOC_TPLG_DAPM_POST,
  aif_in = SND_SOC_TPLG_DAPM_AIF_IN,    // a host copier for playback
  aif_out = SND_SOC_TPLG_DAPM_AIF_OUT,  // a host copier for capture
  dai_in = SND_SOC_TPLG_DAPM_DAI_IN,    // a DAI copier for playback
  dai_out = SND_SOC_TPLG_DAPM_DAI_OUT,  // a DAI copier for capture
  dai_link = SND_SOC_TPLG_DAPM_DAI_LINK,
  buffer = SND_SOC_TPLG_DAPM_BUFFER,  // IPC4: a module copier
  scheduler = SND_SOC_TPLG_DAPM_SCHEDULER,
  effect = SND_SOC_TPLG_DAPM_EFFECT,
  signal_generator = SND_SOC_TPLG_DAPM_SIGGEN,
  src = SND_SOC_TPLG_DAPM_SRC,
  asrc = SND_SOC_TPLG_DAPM_ASRC,
  encoder = SND_SOC_TPLG_DAPM_ENCODER,
  decoder = SND_SOC_TPLG_DAPM_DECODER,
};

// A short name for messages and reports, e.g. "aif_in".
std::string_view to_string(WidgetType type);

enum class Direction : std::uint8_t { playback = 0, capture = 1 };

enum class SchedulerDomain : std::uint8_t { unset, low_latency, data_processing };

struct DaiSettings {
  std::string type;  // "SSP", "DMIC", "HDA", "ALH", ...
  std::uint32_t index = 0;
  std::optional<std::uint32_t> dmac_config;
};

struct GainSettings {
  // 0 no fade, 1 fade (both as Windows wants them), 2 linear, 3 logarithmic, 4 and 5 the same at
  // zero crossings.
  std::uint32_t curve_type = 0;
  std::uint32_t curve_duration = 0;  // in 100 ns
  std::uint32_t initial_value = 0;   // Q1.31
};

struct Widget {
  std::string name;
  std::string stream_name;
  WidgetType type = WidgetType::input;
  std::uint32_t group = 0;  // the index of its block
  std::optional<Uuid> uuid;
  std::optional<std::size_t> pipeline;  // into Topology::pipelines; schedulers have their own

  // What the tuples say. A module without a core runs on its pipeline's.
  std::optional<std::uint32_t> core;
  std::optional<std::uint32_t> cycles_per_chunk;
  std::optional<std::uint32_t> is_pages;
  SchedulerDomain scheduler_domain = SchedulerDomain::unset;
  std::optional<std::uint32_t> domain_id;
  std::optional<std::uint32_t> stack_bytes;
  std::optional<std::uint32_t> heap_bytes;
  std::uint32_t input_pins = 0;   // 0 where the file names none, as for a host copier's input
  std::uint32_t output_pins = 0;  // both at most kMaxPins
  std::vector<std::string> input_bindings;  // pin i is bound to the widget of this name
  std::vector<std::string> output_bindings;
  std::vector<PinFormat> inputs;
  std::vector<PinFormat> outputs;
  std::optional<Direction> direction;
  std::optional<DaiSettings> dai;
  std::optional<GainSettings> gain;
  std::optional<std::uint32_t> mix_type;  // 0 mixin, 1 mixout
  std::optional<std::uint32_t> src_rate_in;
  std::optional<std::uint32_t> src_rate_out;
  std::optional<std::uint32_t> asrc_rate_out;
  std::optional<std::uint32_t> buffer_size;
  std::optional<std::uint32_t> buffer_caps;
  std::optional<std::uint32_t> copier_node_type;
  std::optional<std::uint32_t> deep_buffer_ms;  // of a host copier's DMA buffer

  std::vector<Control> controls;
  Tuples tuples;  // all of them, decoded above or not

  bool is_module() const { return uuid.has_value(); }
  bool is_scheduler() const { return type == WidgetType::scheduler; }
};

// Reads the next widget of the block of `group`, its tuples and controls, and decodes its tuples if
// it is a module: other drivers use the same token numbers for something else. Leaves `pipeline`
// empty. Throws InputError where it is malformed.
Widget parse_widget(ByteReader& reader, std::uint32_t group);

}  // namespace modmem::testbench
