#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "l1/access/access.hpp"

namespace vcache::l1 {

// A bounded queue of accesses without a lock, from one producer at a time to one consumer at a
// time. A full one drops what comes, and counts it.
class AccessRing {
 public:
  // Rounded up to a power of two.
  explicit AccessRing(std::size_t capacity)
      : slots_(std::bit_ceil(capacity)), mask_(slots_.size() - 1) {}

  // Producer.
  void push(const Access& access) noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - seen_tail_ == slots_.size()) [[unlikely]] {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head - seen_tail_ == slots_.size()) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return;
      }
    }
    slots_[head & mask_] = access;
    head_.store(head + 1, std::memory_order_release);
  }

  // Consumer: appends what is there, the oldest first. Throws std::bad_alloc, having taken nothing.
  void take(std::vector<Access>& out) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    out.reserve(out.size() + (head - tail));
    for (std::uint64_t i = tail; i != head; ++i) out.push_back(slots_[i & mask_]);
    tail_.store(head, std::memory_order_release);
  }

  // How many came and were kept, and how many were not.
  [[nodiscard]] std::uint64_t accepted() const noexcept {
    return head_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kLine = 64;

  // The producer's, but for what is constant.
  alignas(kLine) std::atomic<std::uint64_t> head_{0};
  std::uint64_t seen_tail_ = 0;
  std::atomic<std::uint64_t> dropped_{0};
  std::vector<Access> slots_;
  const std::uint64_t mask_;
  // The consumer's.
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace vcache::l1
