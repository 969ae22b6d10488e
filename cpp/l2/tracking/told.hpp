#pragma once

#include <span>
#include <string_view>

#include "l2/key_waiters.hpp"
#include "l2/listener.hpp"

namespace vcache::l2::tracking {

// Wakes who waits for what a listener hears of, then passes it on.
class Told final : public Listener {
 public:
  // Both outlive it.
  Told(KeyWaiters& waiters, Listener& listener) noexcept : waiters_(waiters), listener_(listener) {}

  void on_keys_changed(std::span<const std::string_view> keys) noexcept override {
    for (const std::string_view key : keys) waiters_.notify(key);
    listener_.on_keys_changed(keys);
  }
  void on_stamps(std::span<const base::TagStamp> stamps) noexcept override {
    listener_.on_stamps(stamps);
  }
  void on_leases_changed(std::span<const std::string_view> keys) noexcept override {
    for (const std::string_view key : keys) waiters_.notify(key);
    listener_.on_leases_changed(keys);
  }
  void on_all_changed() noexcept override {
    waiters_.notify_all();
    listener_.on_all_changed();
  }
  void on_gap() noexcept override { listener_.on_gap(); }
  void on_link_up() noexcept override {
    waiters_.set_told(true);
    listener_.on_link_up();
  }
  void on_link_down() noexcept override {
    untold();
    listener_.on_link_down();
  }
  void on_no_link() noexcept override {
    untold();
    listener_.on_no_link();
  }

 private:
  void untold() noexcept {
    waiters_.set_told(false);
    waiters_.notify_all();
  }

  KeyWaiters& waiters_;
  Listener& listener_;
};

}  // namespace vcache::l2::tracking
