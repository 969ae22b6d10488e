#include "cache/memory_first.hpp"

namespace vcache::cache {

MemoryFirst::MemoryFirst(l1::L1Cache& memory, const Admission& admission, const TtlChoice& ttls,
                         const Lifetimes& lifetimes, const base::Moment& made,
                         std::span<const std::string_view> keys,
                         std::span<const base::ValueView> values)
    : memory_(memory),
      admission_(admission),
      ttls_(ttls),
      lifetimes_(lifetimes),
      made_(made),
      keys_(keys),
      values_(values) {
  pinned_.reserve(keys.size());
  writes_.reserve(keys.size());
}

const l2::Write& MemoryFirst::at(std::size_t index) {
  while (writes_.size() <= index) put_next();
  return writes_[index];
}

void MemoryFirst::finish() {
  while (writes_.size() < keys_.size()) put_next();
}

void MemoryFirst::put_next() {
  const std::size_t i = writes_.size();
  const Lifetimes mine = ttls_(keys_[i], lifetimes_);
  pinned_.push_back(put(i, mine));
  const l1::EntryRef& entry = pinned_.back();
  writes_.push_back({.key = keys_[i],
                     .value = entry ? entry->view() : values_[i],
                     .ttl = to_redis(mine.ttl),
                     .made = made_});
  writes_.back().value.tags = values_[i].tags;  // which memory keeps in another form
}

l1::EntryRef MemoryFirst::put(std::size_t index, const Lifetimes& mine) {
  const std::string_view key = keys_[index];
  if (admission_.admits(key, values_[index])) {
    return memory_.insert_pinned(key, values_[index], in_memory(mine), made_,
                                 longest_in_memory(mine));
  }
  memory_.erase(key);
  ++declined_;
  return {};
}

}  // namespace vcache::cache
