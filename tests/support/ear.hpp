#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "l2/listener.hpp"
#include "support/poll_until.hpp"

namespace vcache::testing {

// Remembers what it hears.
class Ear final : public l2::Listener {
 public:
  void on_keys_changed(std::span<const std::string_view> keys) noexcept override {
    hear("key ", keys);
  }
  void on_stamps(std::span<const base::TagStamp> stamps) noexcept override {
    for (const base::TagStamp& each : stamps) hear("tag ", {&each.tag, 1});
  }
  void on_leases_changed(std::span<const std::string_view> keys) noexcept override {
    hear("lease ", keys);
  }
  void on_all_changed() noexcept override { hear("all"); }
  void on_gap() noexcept override { hear("gap"); }
  void on_link_up() noexcept override { hear("up"); }
  void on_link_down() noexcept override { hear("down"); }
  void on_no_link() noexcept override { hear("none"); }

  [[nodiscard]] std::vector<std::string> heard() const {
    const base::MutexLock lock(mutex_);
    return heard_;
  }
  [[nodiscard]] std::size_t count(std::string_view what) const {
    const base::MutexLock lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(heard_, what));
  }
  // Waits until it has heard that so many times.
  [[nodiscard]] bool hears(std::string_view what, std::size_t times = 1) const {
    return poll_until([&] { return count(what) >= times; });
  }
  void forget() {
    const base::MutexLock lock(mutex_);
    heard_.clear();
  }

 private:
  void hear(std::string what) {
    const base::MutexLock lock(mutex_);
    heard_.push_back(std::move(what));
  }
  void hear(const std::string& kind, std::span<const std::string_view> names) {
    for (const std::string_view name : names) hear(kind + std::string(name));
  }

  mutable base::Mutex mutex_;
  std::vector<std::string> heard_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::testing
