// What a script's commands mean for one topology, settled before anything runs, so that a mistake
// on a script's last line costs no run.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "testbench/pcm_stream.hpp"
#include "testbench/script.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

struct ScriptStep {
  const ScriptCommand* command = nullptr;
  std::size_t stream = 0;            // start, stop, pause, reset
  std::size_t node = 0;              // set, set_blob, trigger
  const Control* control = nullptr;  // set, set_blob
  std::vector<std::byte> blob;       // set_blob, without SOF's header
};

// The steps of `script`, one for each command; the script, the topology and the graph must outlive
// them. Throws InputError "SCRIPT:LINE: reason" where a name is unknown or ambiguous, a stream's or
// a control's state or values do not allow the command (as if every start succeeds), or a file
// can't be used. A control is called by its own name, or with its widget's name and a blank before
// it. O(commands x (streams + controls + nodes)).
std::vector<ScriptStep> resolve(const Script& script, const StreamGraph& graph,
                                const std::vector<PcmStream>& streams);

// "SCRIPT:LINE", for messages.
std::string place_of(const Script& script, const ScriptCommand& command);

}  // namespace modmem::testbench
