// The heaps of vpage_alloc(): one of the system's, and an account in each domain that asks for
// pages.
#pragma once

#include "memory/owner.hpp"

namespace modmem {

// The one that was made for `maker`, nullptr where nobody has asked for pages there yet. The port's
// lock is held. O(owners right below `maker`).
Owner* pages_below(const Owner& maker);

// Whether that is one. O(1).
bool is_pages(const Owner& owner);

}  // namespace modmem
