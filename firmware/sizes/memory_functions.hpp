// All functions of Memory and of transactions on it, but for check(), for the anchors of Memory and
// of what stands on it.
#pragma once

#include "firmware/sizes/anchor.hpp"
#include "memory/memory.hpp"
#include "memory/transaction.hpp"

namespace modmem::sizes {

inline void keep_memory() {
  keep<&Memory::boot, &Memory::arena_bytes, &Memory::set_recorder, &Memory::shutdown,
       &Memory::config_error, &Memory::create_owner, &Memory::can_admit, &Memory::admit,
       &Memory::return_unused, &Memory::reserved_frames,
       static_cast<bool (Memory::*)(Owner&, std::uint32_t, std::uint32_t)>(&Memory::premap),
       &Memory::is_owner, &Memory::set_limit, &Memory::set_frame_limit, &Memory::report_leak,
       &Memory::destroy_owner, &Memory::destroy_empty_owner, &Memory::release_owner,
       &Memory::release_all, &Memory::get_region, &Memory::put_region, &Memory::set_interim,
       &Memory::region_info, &Memory::region_base, &Memory::heap_report, &Memory::allocate,
       &Memory::allocate_zeroed, &Memory::allocate_range, &Memory::reallocate, &Memory::free,
       &Memory::drain, &Memory::status, &Memory::is_mapped, &Memory::usable_size,
       &Memory::largest_request, &Memory::compact, &Memory::trim, &Memory::energy, &Memory::pin,
       &Memory::unpin, &Memory::save_l3, &Memory::restore_l3, &Memory::metadata_bytes,
       &Memory::metadata_use, &Memory::audio_path_calls, &Memory::snapshot, &Memory::locate>();
  keep<&find_policy, &Transaction::create_owner, &Transaction::admit, &Transaction::allocate,
       &Transaction::free, &Transaction::on_undo, &Transaction::undo>();
}

}  // namespace modmem::sizes
