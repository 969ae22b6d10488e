#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/indexed_heap.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::sim {

// MIN: evicts the entry that is asked for again last. Where all entries are of one size no cache
// that takes every newcomer misses less; where they are not, no such algorithm is fast enough to
// know, and this one, which heeds no sizes, is only a good guess.
// Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal,
// 1966.
class Belady {
 public:
  using EntryId = l1::policy::EntryId;
  using Candidate = l1::policy::Candidate;
  static constexpr std::string_view kName = "belady";

  // The number of the request by which the key of the next on_insert(), on_update() or on_hit() is
  // asked for again.
  void expect(std::uint64_t next_use) noexcept { next_use_ = next_use; }

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept { heap_.change(id, ~next_use_); }
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return l1::policy::occupied(sizes_) + heap_.memory_bytes();
  }

 private:
  base::Table<std::uint32_t> sizes_;
  l1::policy::IndexedHeap<std::uint64_t> heap_;  // the latest next use on top
  std::uint64_t next_use_ = 0;
  std::uint64_t bytes_ = 0;
};

static_assert(l1::policy::EvictionPolicy<Belady>);

}  // namespace vcache::sim
