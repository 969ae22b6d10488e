#pragma once

#include <atomic>
#include <span>
#include <string_view>

#include "cache/fill_guard.hpp"
#include "l1/l1_cache.hpp"
#include "l2/listener.hpp"

namespace vcache::cache {

// Keeps memory in step with what others do to Redis. What changed leaves memory, and what is on its
// way there from before the change stays out. Without a link memory is unverified: it serves where
// Redis does not answer. Where the server tells of nothing, entries are short-lived.
class Coherence final : public l2::Listener {
 public:
  // How long entries live in memory when no change is told of.
  static constexpr base::Nanos kUntold = std::chrono::seconds(5);

  // Both outlive it.
  Coherence(l1::L1Cache& memory, FillGuard& fills) noexcept : memory_(memory), fills_(fills) {}

  void on_keys_changed(std::span<const std::string_view> keys) noexcept override;
  void on_stamps(std::span<const base::TagStamp> stamps) noexcept override;
  void on_leases_changed(std::span<const std::string_view> keys) noexcept override;
  void on_all_changed() noexcept override;
  void on_gap() noexcept override { fills_.void_all(); }
  void on_link_up() noexcept override;
  void on_link_down() noexcept override { memory_.distrust(); }
  void on_no_link() noexcept override;

  // True once, after the server had said that it tells of nothing: the user should know.
  [[nodiscard]] bool take_notice() noexcept {
    return notice_.load(std::memory_order_relaxed) && notice_.exchange(false);
  }

 private:
  // Own synchronization.
  l1::L1Cache& memory_;
  FillGuard& fills_;
  std::atomic<bool> notice_{false};

  // Of the thread that calls.
  bool limited_ = false;
  bool noticed_ = false;
};

}  // namespace vcache::cache
