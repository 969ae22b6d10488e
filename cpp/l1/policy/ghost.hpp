#pragma once

#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"

namespace vcache::l1::policy {

// Remembers the fingerprints of the entries evicted last, in order: a ring of them, and a hash
// table (linear probing, at most half full) of their places in the ring. Distinct keys may share
// a fingerprint, once in about four billion pairs.
// 12 to 24 bytes each; no step takes longer than another but where the ring doubles.
class Ghost {
 public:
  // Requires: fingerprint > 0. Forgets the oldest ones beyond `limit`.
  void add(std::uint32_t fingerprint, std::size_t limit);
  // Whether it was remembered; it no longer is.
  [[nodiscard]] bool remove(std::uint32_t fingerprint) noexcept;

  // Places taken, those of removed ones included: they age out like the others.
  [[nodiscard]] std::size_t size() const noexcept { return next_ - first_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  using Place = std::uint32_t;  // counts on; its low bits are the index into ring_
  static constexpr std::size_t kNoSlot = ~std::size_t{0};

  [[nodiscard]] std::uint32_t& at(Place place) noexcept {
    return ring_[place & (ring_.size() - 1)];
  }
  [[nodiscard]] std::size_t home(std::uint32_t fingerprint) const noexcept;
  [[nodiscard]] std::size_t find(std::uint32_t fingerprint) noexcept;
  void index(Place place) noexcept;
  void clear_slot(std::size_t slot) noexcept;
  void forget_oldest() noexcept;
  void grow();

  base::Table<std::uint32_t> ring_;   // a power of two; 0: removed
  base::Table<std::uint32_t> slots_;  // twice the ring; index into ring_ plus 1, 0: free
  Place first_ = 0;
  Place next_ = 0;
};

}  // namespace vcache::l1::policy
