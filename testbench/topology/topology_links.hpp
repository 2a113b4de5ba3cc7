// The second half of loading: what refers to what. Internal to the loader.
#pragma once

#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

// Fills in everything that follows from names and groups: pipelines, Widget::pipeline, the ends of
// routes, the widgets of PCMs and links. Requires a topology whose elements have been read and
// whose associations are empty. Throws InputError where two widgets share a name, two schedulers a
// group, or a scheduler's tuples are impossible.
void link_topology(Topology& topology);

}  // namespace modmem::testbench
