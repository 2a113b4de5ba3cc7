// For tests of modules: controls as production topologies have them.
#pragma once

#include <cstddef>

#include "testbench/topology/control.hpp"

namespace modmem::testbench {

// From -90 dB, which mutes, to 0 dB in 45 steps.
inline Control volume_control(std::size_t channels) {
  Control control;
  control.name = "Volume";
  control.ops = {.get = 256, .put = 256, .info = 1};
  control.tlv = ControlTlv{};
  control.tlv->db_scale = DbScale{.min = -9000, .step = 200, .mute = true};
  MixerControl mixer;
  mixer.max = 45;
  mixer.channels.resize(channels);
  control.detail = mixer;
  return control;
}

inline Control switch_control(std::size_t channels) {
  Control control;
  control.name = "Switch";
  control.ops = {.get = 259, .put = 259, .info = 1};
  MixerControl mixer;
  mixer.max = 1;
  mixer.channels.resize(channels);
  control.detail = mixer;
  return control;
}

}  // namespace modmem::testbench
