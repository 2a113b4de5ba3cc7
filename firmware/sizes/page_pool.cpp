// The page pool alone.
#include "page/page_pool.hpp"

#include "firmware/sizes/anchor.hpp"

namespace modmem::sizes {

namespace {
alignas(PagePool) std::byte object[sizeof(PagePool)];
}

void anchor() {
  new (object) PagePool;
  keep<&PagePool::boot, &PagePool::set_guarantee, &PagePool::take, &PagePool::take_at,
       &PagePool::find_run, &PagePool::take_run, &PagePool::give, &PagePool::hand_over,
       &PagePool::banks_to_power, &PagePool::powered_free, &PagePool::bank_of,
       &PagePool::start_energy, &PagePool::frame_us, &PagePool::powered_frame_us, &PagePool::trim,
       &PagePool::pin, &PagePool::unpin, &PagePool::frame_to_move_to, &PagePool::room_beside,
       &PagePool::is_held_on, &PagePool::first_frame, &PagePool::frames_in, &PagePool::move>();
}

}  // namespace modmem::sizes
