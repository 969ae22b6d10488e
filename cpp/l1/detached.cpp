#include "l1/detached.hpp"

#include <new>

namespace vcache::l1 {

EntryRef make_detached(std::string_view key, const base::ValueView& value,
                       const Identity& identity) {
  const std::size_t bytes = Entry::bytes_for(key, value);
  auto* arena = new (std::nothrow) store::Arena(0);
  if (arena == nullptr) return {};
  void* memory = arena->allocate(bytes);
  if (memory == nullptr) {
    arena->release();
    return {};
  }
  Entry* entry = Entry::create(memory, *arena, key, value, 1);
  entry->fill(value.payload);
  entry->identify(identity);
  arena->pinned_bytes.store(entry->block_bytes(), std::memory_order_relaxed);
  (void)entry->retire();  // no index holds it
  return EntryRef(entry);
}

}  // namespace vcache::l1
