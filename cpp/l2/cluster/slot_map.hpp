#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "l2/cluster/key_slot.hpp"
#include "l2/node.hpp"

namespace vcache::l2::cluster {

// Who holds which slot. Lock-free; thread-safe.
class SlotMap {
 public:
  [[nodiscard]] Node* at(std::size_t slot) const noexcept {
    return owners_[slot].load(std::memory_order_acquire);
  }
  void set(std::size_t slot, Node* owner) noexcept {
    owners_[slot].store(owner, std::memory_order_release);
  }

 private:
  std::array<std::atomic<Node*>, kSlots> owners_{};
};

}  // namespace vcache::l2::cluster
