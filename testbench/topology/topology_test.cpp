// Topologies built by hand, against the model that must come of them.
#include "testbench/topology/topology.hpp"

#include <gtest/gtest.h>

#include "testbench/topology/topology_builder.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::testbench {
namespace {

Bytes copier_uuid() {
  return uuid_tuple(405, {0x83, 0x0c, 0xa0, 0x9b, 0x12, 0xca, 0x83, 0x4a, 0x94, 0x3c, 0x1f, 0xa2,
                          0xe8, 0x2f, 0x9d, 0xda});
}

Bytes gain_uuid() {
  return uuid_tuple(405, {0xa8, 0xa9, 0xbc, 0x61, 0xd0, 0x18, 0x18, 0x4a, 0x8e, 0x7b, 0x26, 0x39,
                          0x21, 0x98, 0x04, 0xb7});
}

Topology parse(const Bytes& bytes) {
  Topology topology = parse_topology(bytes.data(), "test.tplg");
  EXPECT_EQ(check_topology(topology), "");
  return topology;
}

// A widget of group 1 with `tuples`, in a topology of its own.
Topology parse_one(const Bytes& tuples, std::uint32_t type = 18) {
  return parse(block(kWidgetBlock, 1, {widget(type, "module.1.1", "", tuples)}));
}

Bytes host_copier() {
  return widget(11, "host-copier.0.playback", "Speaker Playback",
                Bytes()
                    .append(number_tuples({{1980, 0}, {1981, 100}}))
                    .append(number_tuples({{409, 1}, {406, 1647}, {416, 1}, {415, 2}, {412, 1}}))
                    .append(number_tuples({{156, 0}}))
                    .append(copier_uuid())
                    .append(input_format(48000, 16, 16, 2))
                    .append(input_format(48000, 32, 24, 2))
                    .append(output_format(48000, 32, 32, 2))
                    .append(input_format(96000, 32, 32, 8)));
}

Bytes gain() {
  return widget(4, "gain.1.1", "",
                Bytes()
                    .append(number_tuples({{262, 0x7fffffff}, {261, 200000}, {260, 2}}))
                    .append(number_tuples({{417, 1}}, 2))
                    .append(gain_uuid())
                    .append(number_tuples({{416, 1}, {415, 1}, {412, 1}, {411, 1}, {404, 3}}))
                    .append(input_format(48000, 32, 32, 2))
                    .append(output_format(48000, 32, 32, 2)),
                {mixer_control("Speaker Playback Volume", 45, db_scale(-9000, 200)),
                 enum_control("Mode", {"off", "on", "automatic"}),
                 bytes_control("Config", 1024, Bytes().bytes({1, 2, 3, 4, 5}))});
}

Bytes dai_copier() {
  return widget(13, "dai-copier.SSP.Speaker.playback", "Speaker",
                Bytes()
                    .append(number_tuples({{409, 1}, {411, 1}, {415, 1}, {416, 1}}))
                    .append(number_tuples({{156, 0}, {155, 2}, {153, 9}}))
                    .append(string_tuple(154, "SSP"))
                    .append(copier_uuid())
                    .append(input_format(48000, 32, 32, 2))
                    .append(output_format(48000, 32, 32, 2)));
}

// Two pipelines with a route between them, a virtual widget in the group of one of them, a PCM, a
// link, a control of its own, and a block that is not read.
Bytes example() {
  Bytes bytes;
  bytes.append(block(kManifestBlock, 0, {manifest(4, 6, 3, 1, 1, 1)}));
  bytes.append(block(kMixerBlock, 0, {mixer_control("Master Switch", 1)}));
  bytes.append(block(
      kWidgetBlock, 1,
      {host_copier(), gain(), widget(17, "pipeline.1", "", number_tuples({{201, 2}, {206, 1}})),
       widget(1, "virtual.amp", "", Bytes())}));
  bytes.append(block(
      kWidgetBlock, 2,
      {dai_copier(), widget(17, "pipeline.2", "",
                            Bytes()
                                .append(number_tuples({{200, 2000}, {203, 1}, {207, 1}, {205, 1}}))
                                .append(number_tuples({{209, 1}}, 2))
                                .append(number_tuples({{211, 1}, {212, 1}})))}));
  bytes.append(block(kGraphBlock, 1, {route("host-copier.0.playback", "", "gain.1.1")}));
  bytes.append(block(kGraphBlock, 0,
                     {route("gain.1.1", "", "dai-copier.SSP.Speaker.playback"),
                      route("virtual.amp", "a switch", "codec output")}));
  bytes.append(
      block(kPcmBlock, 0, {pcm(3, "Speaker", stream_caps("Speaker Playback", 1, 2), Bytes())}));
  bytes.append(block(kBackendLinkBlock, 0, {link(5, "Speaker")}));
  bytes.append(block(kDaiBlock, 0, {Bytes().zeros(280)}));
  return bytes;
}

TEST(Topology, HoldsWhatTheFileHolds) {
  const Topology topology = parse(example());
  EXPECT_EQ(topology.name, "test.tplg");
  EXPECT_EQ(topology.abi, 5u);
  ASSERT_TRUE(topology.manifest);
  EXPECT_EQ(topology.manifest->widgets, 6u);
  EXPECT_EQ(topology.skipped_blocks, 1u);
  ASSERT_EQ(topology.widgets.size(), 6u);
  EXPECT_EQ(topology.widgets[0].name, "host-copier.0.playback");
  EXPECT_EQ(topology.widgets[0].group, 1u);
  EXPECT_EQ(topology.widgets[4].group, 2u);
  ASSERT_EQ(topology.controls.size(), 1u);
  EXPECT_EQ(topology.controls[0].name, "Master Switch");
}

TEST(Topology, ModulesAreDecoded) {
  const Topology topology = parse(example());
  const Widget& copier = topology.widgets[0];
  EXPECT_TRUE(copier.is_module());
  EXPECT_EQ(copier.uuid, kCopierUuid);
  EXPECT_EQ(copier.type, WidgetType::aif_in);
  EXPECT_EQ(copier.stream_name, "Speaker Playback");
  EXPECT_EQ(copier.is_pages, 1u);
  EXPECT_EQ(copier.cycles_per_chunk, 1647u);
  EXPECT_EQ(copier.input_pins, 0u);
  EXPECT_EQ(copier.output_pins, 1u);
  EXPECT_EQ(copier.direction, Direction::playback);
  EXPECT_EQ(copier.copier_node_type, 0u);
  EXPECT_EQ(copier.deep_buffer_ms, 100u);
  EXPECT_FALSE(copier.core);
  EXPECT_FALSE(copier.heap_bytes);
  EXPECT_FALSE(copier.dai);
  EXPECT_FALSE(copier.gain);
  EXPECT_EQ(copier.scheduler_domain, SchedulerDomain::unset);

  const Widget& gain = topology.widgets[1];
  EXPECT_EQ(gain.uuid, kGainUuid);
  EXPECT_EQ(gain.core, 3u);
  EXPECT_FALSE(gain.is_pages);
  ASSERT_TRUE(gain.gain);
  EXPECT_EQ(gain.gain->curve_type, 2u);
  EXPECT_EQ(gain.gain->curve_duration, 200000u);
  EXPECT_EQ(gain.gain->initial_value, 0x7fffffffu);

  const Widget& dai = topology.widgets[4];
  ASSERT_TRUE(dai.dai);
  EXPECT_EQ(dai.dai->type, "SSP");
  EXPECT_EQ(dai.dai->index, 2u);
  EXPECT_EQ(dai.dai->dmac_config, 9u);
}

TEST(Topology, DeclaredFormatsAreTakenAndSurplusOnesAreNot) {
  const Topology topology = parse(example());
  const Widget& copier = topology.widgets[0];
  ASSERT_EQ(copier.inputs.size(), 2u);
  ASSERT_EQ(copier.outputs.size(), 1u);
  const PinFormat s24{.pin = 0,
                      .rate = 48000,
                      .bits = 32,
                      .valid_bits = 24,
                      .channels = 2,
                      .channel_map = 0xffffff10,
                      .channel_config = 1,
                      .interleaving = 0,
                      .format_config = 0x11802,
                      .sample_type = SampleType::lsb_integer,
                      .buffer_bytes = 384};
  EXPECT_EQ(copier.inputs[1], s24);
  EXPECT_EQ(copier.inputs[0].bits, 16u);
  EXPECT_EQ(copier.inputs[0].buffer_bytes, 192u);
  EXPECT_EQ(copier.inputs[0].frame_bytes(), 4u);
  EXPECT_EQ(copier.outputs[0].valid_bits, 32u);
}

TEST(Topology, ControlsBelongToTheirWidget) {
  const Topology topology = parse(example());
  const std::vector<Control>& controls = topology.widgets[1].controls;
  ASSERT_EQ(controls.size(), 3u);
  EXPECT_EQ(controls[0].name, "Speaker Playback Volume");
  EXPECT_EQ(controls[0].ops.get, 256u);
  EXPECT_EQ(controls[0].ops.put, 256u);
  ASSERT_TRUE(controls[0].tlv);
  ASSERT_TRUE(controls[0].tlv->db_scale);
  EXPECT_EQ(controls[0].tlv->db_scale->min, -9000);
  EXPECT_EQ(controls[0].tlv->db_scale->step, 200u);
  EXPECT_TRUE(controls[0].tlv->db_scale->mute);
  const auto& mixer = std::get<MixerControl>(controls[0].detail);
  EXPECT_EQ(mixer.max, 45);
  ASSERT_EQ(mixer.channels.size(), 2u);
  EXPECT_EQ(mixer.channels[1].shift, 1u);
  EXPECT_EQ(mixer.channels[1].id, 4u);

  const auto& enumeration = std::get<EnumControl>(controls[1].detail);
  EXPECT_EQ(enumeration.texts, (std::vector<std::string>{"off", "on", "automatic"}));
  EXPECT_EQ(enumeration.mask, 7u);
  EXPECT_FALSE(controls[1].tlv);

  const auto& bytes = std::get<BytesControl>(controls[2].detail);
  EXPECT_EQ(bytes.max, 1024u);
  EXPECT_EQ(bytes.ext_ops.get, 258u);
  ASSERT_EQ(controls[2].private_data.size(), 5u);
  EXPECT_EQ(controls[2].private_data[4], std::byte{5});
}

TEST(Topology, PipelinesAreTheSchedulersOfAGroup) {
  const Topology topology = parse(example());
  ASSERT_EQ(topology.pipelines.size(), 2u);
  const Pipeline& first = topology.pipelines[0];
  EXPECT_EQ(first.id, 1u);
  EXPECT_EQ(first.name, "pipeline.1");
  EXPECT_EQ(first.scheduler, 2u);
  EXPECT_EQ(first.widgets, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(first.period_us, 1000u) << "the default";
  EXPECT_EQ(first.priority, 2u);
  EXPECT_EQ(first.core, 0u);
  EXPECT_TRUE(first.dynamic);
  EXPECT_FALSE(first.low_power);
  EXPECT_FALSE(first.chain_dma);
  EXPECT_FALSE(first.direction);
  EXPECT_FALSE(first.time_domain);
  const Pipeline& second = topology.pipelines[1];
  EXPECT_EQ(second.widgets, (std::vector<std::size_t>{4}));
  EXPECT_EQ(second.period_us, 2000u);
  EXPECT_EQ(second.core, 1u);
  EXPECT_TRUE(second.low_power);
  EXPECT_TRUE(second.chain_dma);
  EXPECT_EQ(second.time_domain, 1u);
  EXPECT_EQ(second.direction, Direction::capture);

  EXPECT_EQ(topology.widgets[0].pipeline, 0u);
  EXPECT_EQ(topology.widgets[2].pipeline, 0u) << "the scheduler itself";
  EXPECT_FALSE(topology.widgets[3].pipeline) << "a virtual widget, though of group 1";
  EXPECT_EQ(find_pipeline(topology, 2), &second);
  EXPECT_EQ(find_pipeline(topology, 3), nullptr);
  EXPECT_EQ(find_widget(topology, "gain.1.1"), &topology.widgets[1]);
  EXPECT_EQ(find_widget(topology, "gain.1"), nullptr);
}

TEST(Topology, RoutesFindTheirEnds) {
  const Topology topology = parse(example());
  ASSERT_EQ(topology.routes.size(), 3u);
  EXPECT_EQ(topology.routes[0].source, 0u);
  EXPECT_EQ(topology.routes[0].sink, 1u);
  EXPECT_EQ(topology.routes[0].group, 1u);
  EXPECT_EQ(topology.routes[1].source, 1u);
  EXPECT_EQ(topology.routes[1].sink, 4u);
  EXPECT_EQ(topology.routes[1].group, 0u);
  EXPECT_EQ(topology.routes[2].source, 3u);
  EXPECT_EQ(topology.routes[2].control, "a switch");
  EXPECT_EQ(topology.routes[2].sink_name, "codec output");
  EXPECT_FALSE(topology.routes[2].sink) << "no widget of this file";
}

TEST(Topology, StreamsFindTheirCopiers) {
  const Topology topology = parse(example());
  ASSERT_EQ(topology.pcms.size(), 1u);
  const Pcm& pcm = topology.pcms[0];
  EXPECT_EQ(pcm.id, 3u);
  EXPECT_EQ(pcm.name, "Speaker");
  ASSERT_TRUE(pcm.playback);
  EXPECT_FALSE(pcm.capture);
  EXPECT_EQ(pcm.playback->name, "Speaker Playback");
  EXPECT_EQ(pcm.playback->formats, 1u << 2 | 1u << 10);
  EXPECT_EQ(pcm.playback->rate_max, 48000u);
  EXPECT_EQ(pcm.playback->channels_min, 1u);
  EXPECT_EQ(pcm.playback->channels_max, 2u);
  EXPECT_EQ(pcm.playback->buffer_bytes_max, 4194304u);
  EXPECT_EQ(pcm.playback_widget, 0u);
  EXPECT_FALSE(pcm.capture_widget);

  ASSERT_EQ(topology.links.size(), 1u);
  const BackendLink& link = topology.links[0];
  EXPECT_EQ(link.id, 5u);
  EXPECT_EQ(link.name, "Speaker");
  ASSERT_EQ(link.hardware_configs.size(), 1u);
  EXPECT_EQ(link.hardware_configs[0].fsync_rate, 48000u);
  EXPECT_EQ(link.hardware_configs[0].tdm_slot_width, 32u);
  EXPECT_EQ(link.default_hardware_config, 7u);
  EXPECT_EQ(link.widgets, (std::vector<std::size_t>{4}));
}

TEST(Topology, AllTuplesAreKept) {
  const Topology topology = parse_one(Bytes()
                                          .append(number_tuples({{9000, 1}, {9000, 2}}, 5))
                                          .append(string_tuple(9001, "first"))
                                          .append(string_tuple(9001, "second"))
                                          .append(gain_uuid())
                                          .append(number_tuples({{9002, 7}}, 3)));
  const Tuples& tuples = topology.widgets[0].tuples;
  ASSERT_EQ(tuples.list.size(), 6u);
  EXPECT_EQ(tuples.list[1].type, TupleType::half_word);
  EXPECT_EQ(tuples.list[1].array, 0u);
  EXPECT_EQ(tuples.list[5].type, TupleType::byte);
  EXPECT_EQ(tuples.list[5].array, 4u);
  EXPECT_EQ(tuples.number(9000), 1u);
  EXPECT_EQ(tuples.number(9001), std::nullopt) << "is a string";
  EXPECT_EQ(tuples.string(9001), "first");
  EXPECT_EQ(tuples.strings(9001), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(tuples.uuid(405), kGainUuid);
  EXPECT_EQ(tuples.number(9003), std::nullopt);
}

TEST(Topology, MemoryAndSchedulingTokensAreDecoded) {
  const Topology topology =
      parse_one(Bytes()
                    .append(gain_uuid())
                    .append(string_tuple(418, "DP"))
                    .append(number_tuples({{419, 4}, {420, 8192}, {421, 24576}, {409, 3}}))
                    .append(number_tuples({{100, 640}, {101, 2}, {300, 44100}, {301, 48000}}))
                    .append(number_tuples({{321, 16000}, {1700, 1}, {411, 2}, {412, 4}}))
                    .append(string_tuple(413, "a"))
                    .append(string_tuple(413, "b"))
                    .append(string_tuple(414, "c")));
  const Widget& widget = topology.widgets[0];
  EXPECT_EQ(widget.scheduler_domain, SchedulerDomain::data_processing);
  EXPECT_EQ(widget.domain_id, 4u);
  EXPECT_EQ(widget.stack_bytes, 8192u);
  EXPECT_EQ(widget.heap_bytes, 24576u);
  EXPECT_EQ(widget.is_pages, 3u);
  EXPECT_EQ(widget.buffer_size, 640u);
  EXPECT_EQ(widget.buffer_caps, 2u);
  EXPECT_EQ(widget.src_rate_in, 44100u);
  EXPECT_EQ(widget.src_rate_out, 48000u);
  EXPECT_EQ(widget.asrc_rate_out, 16000u);
  EXPECT_EQ(widget.mix_type, 1u);
  EXPECT_EQ(widget.input_pins, 2u);
  EXPECT_EQ(widget.output_pins, 4u);
  EXPECT_EQ(widget.input_bindings, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(widget.output_bindings, (std::vector<std::string>{"c"}));
  EXPECT_FALSE(widget.pipeline) << "there is no scheduler";
}

TEST(Topology, SchedulerDomainsHaveNamesAndNumbers) {
  const auto domain = [](const Bytes& tuple) {
    return parse_one(Bytes().append(gain_uuid()).append(tuple)).widgets[0].scheduler_domain;
  };
  EXPECT_EQ(domain(string_tuple(418, "LL")), SchedulerDomain::low_latency);
  EXPECT_EQ(domain(number_tuples({{418, 0}})), SchedulerDomain::unset);
  EXPECT_EQ(domain(number_tuples({{418, 1}})), SchedulerDomain::low_latency);
  EXPECT_EQ(domain(number_tuples({{418, 2}})), SchedulerDomain::data_processing);
}

// A format that leaves a token out must not take that of the next one: formats are told apart by
// their arrays, and inside an array by the first token that repeats.
TEST(Topology, FormatsKeepTheirOwnPin) {
  const Topology topology = parse_one(
      Bytes()
          .append(gain_uuid())
          .append(number_tuples({{415, 3}, {416, 2}, {411, 2}}))
          .append(input_format(48000, 16, 16, 2))
          .append(number_tuples(
              {{1909, 1}, {1900, 16000}, {1901, 32}, {1902, 32}, {1903, 1}, {1970, 64}}))
          .append(number_tuples({{1900, 48000}, {1901, 16}, {1907, 0x11004}, {1970, 384}}))
          .append(number_tuples({{1930, 48000},
                                 {1931, 16},
                                 {1937, 0x01002},
                                 {1971, 192},
                                 {1930, 96000},
                                 {1939, 1},
                                 {1931, 32},
                                 {1937, 0x41801},
                                 {1971, 768}})));
  const Widget& widget = topology.widgets[0];
  ASSERT_EQ(widget.inputs.size(), 3u);
  EXPECT_EQ(widget.inputs[0].pin, 0u);
  EXPECT_EQ(widget.inputs[1].pin, 1u);
  EXPECT_EQ(widget.inputs[1].rate, 16000u);
  EXPECT_EQ(widget.inputs[1].channels, 1u) << "from the channels token: no format config";
  EXPECT_EQ(widget.inputs[1].valid_bits, 32u);
  EXPECT_EQ(widget.inputs[2].pin, 0u);
  EXPECT_EQ(widget.inputs[2].channels, 4u) << "from the format config";
  ASSERT_EQ(widget.outputs.size(), 2u);
  EXPECT_EQ(widget.outputs[0].sample_type, SampleType::msb_integer);
  EXPECT_EQ(widget.outputs[1].rate, 96000u);
  EXPECT_EQ(widget.outputs[1].pin, 1u);
  EXPECT_EQ(widget.outputs[1].valid_bits, 24u);
  EXPECT_EQ(widget.outputs[1].sample_type, SampleType::floating);
}

// Other drivers give other meanings to the same numbers: without SOF's UUID nothing is decoded.
TEST(Topology, WidgetsWithoutUuidKeepTheirTuplesUndecoded) {
  const Topology topology =
      parse_one(Bytes().append(number_tuples({{415, 4000000000}, {411, 99}, {404, 77}, {409, 1}})));
  const Widget& widget = topology.widgets[0];
  EXPECT_FALSE(widget.is_module());
  EXPECT_EQ(widget.input_pins, 0u);
  EXPECT_FALSE(widget.is_pages);
  EXPECT_EQ(widget.tuples.number(411), 99u);
}

TEST(Topology, NeedsNeitherManifestNorElements) {
  const Topology topology = parse(block(kGraphBlock, 0, {}));
  EXPECT_FALSE(topology.manifest);
  EXPECT_TRUE(topology.widgets.empty());
}

}  // namespace
}  // namespace modmem::testbench
