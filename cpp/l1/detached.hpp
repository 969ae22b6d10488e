#pragma once

#include <string_view>

#include "l1/entry.hpp"

namespace vcache::l1 {

// A copy of a value as an entry of no cache, for readers of a tier that keeps nothing in L1. It
// frees itself with its last reference. Empty when there is no memory.
[[nodiscard]] EntryRef make_detached(std::string_view key, const base::ValueView& value,
                                     const Identity& identity);

}  // namespace vcache::l1
