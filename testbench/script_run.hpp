// run_script(): streams that come and go as a script says, on simulated time; a report of all
// memory out.
//
// A command that memory does not suffice for is counted and the script goes on, as a driver does;
// what the script asks of a stream that did not start is then left out. Time passes in `wait` only,
// a period a millisecond, as fast as the host can. At the end what still runs is stopped.
//
// The report is that of a run: means and peaks are over all periods, what is live is what is so
// behind the last command, and modules that came and went several times are one.
#pragma once

#include "testbench/run.hpp"

namespace modmem::testbench {

// Runs the script on options.topology; sources whose start names no file play options.input, and
// options.output is a folder for what the sinks get. Length, cycles and pipelines of the options
// play no part. Throws InputError for bad input, with the script's line where it is at fault,
// before anything runs but for what only a module can tell.
RunReport run_script(const std::filesystem::path& script, const RunOptions& options,
                     const Progress& progress);

}  // namespace modmem::testbench
