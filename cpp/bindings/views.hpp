#pragma once

#include "bindings/python.hpp"
#include "l1/entry.hpp"

namespace vcache::bindings {

// A read-only array over the payload of a vector entry, which it keeps alive; nullptr with an
// exception set when there is no memory. The array may be kept for reuse: a weak reference to it
// can outlive the receiver's last reference until the next hits, stats(), clear() or close().
[[nodiscard]] PyObject* view_of(l1::EntryRef entry) noexcept;

// A read-only memoryview of the payload of an entry, which it and what is made of it keep alive;
// nullptr with an exception set when there is no memory.
[[nodiscard]] PyObject* memory_of(l1::EntryRef entry) noexcept;

// Lets go of the entries that only arrays kept for reuse still pin.
void release_idle_views() noexcept;

}  // namespace vcache::bindings
