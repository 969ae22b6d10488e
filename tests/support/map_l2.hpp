#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "l2/l2.hpp"

namespace vcache::testing {

// An L2 in a map, with hooks that order threads: after_fetch runs between reading the values and
// handing them over, before_fetch and before_store before anything else; each once. `down` fails
// all calls; with `forgets` each value that was handed over is void afterwards.
class MapL2 final : public l2::L2 {
 public:
  std::function<void()> before_fetch;
  std::function<void()> after_fetch;
  std::function<void()> before_store;
  std::atomic<bool> down = false;
  std::atomic<bool> silent = false;  // as a breaker knows it to be
  std::atomic<int> fetches = 0;
  bool forgets = false;
  bool refuses_values = false;  // as a full server does

  base::Error fetch(std::span<const std::string_view> keys, l2::FetchSink& sink) noexcept override {
    ++fetches;
    run_once(before_fetch);
    if (down) {
      for (std::size_t i = 0; i < keys.size(); ++i) sink.on_absent(i, l2::Outcome::kFailed);
      return {base::ErrorCode::kTimeout, "down"};
    }
    std::map<std::string, Stored, std::less<>> copy;
    {
      const base::MutexLock lock(mutex_);
      copy = values_;
    }
    run_once(after_fetch);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto at = copy.find(keys[i]);
      if (at == copy.end()) {
        sink.on_absent(i, l2::Outcome::kMiss);
      } else {
        l2::StoredValue stored{.value = at->second.shape_only, .remaining = at->second.ttl};
        stored.value.payload = at->second.payload;
        sink.on_value(i, stored);
        if (forgets) sink.on_absent(i, l2::Outcome::kExpired);
      }
    }
    return {};
  }

  base::Error store(l2::WriteSource& writes, std::span<l2::Outcome> outcomes) noexcept override {
    run_once(before_store);
    const bool unanswered = down;
    const bool taken = !unanswered && !refuses_values;
    for (std::size_t i = 0; i < writes.size(); ++i) {
      outcomes[i] = taken ? l2::Outcome::kHit : l2::Outcome::kFailed;
      if (taken) write(writes.at(i));
    }
    if (taken) return {};
    if (unanswered) return {base::ErrorCode::kTimeout, "down"};
    return {base::ErrorCode::kServer, "OOM"};
  }

  base::Error erase(std::span<const std::string_view> keys,
                    std::span<l2::Outcome> outcomes) noexcept override {
    if (down) {
      for (l2::Outcome& outcome : outcomes) outcome = l2::Outcome::kFailed;
      return {base::ErrorCode::kTimeout, "down"};
    }
    const base::MutexLock lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      outcomes[i] =
          values_.erase(std::string(keys[i])) != 0 ? l2::Outcome::kHit : l2::Outcome::kMiss;
    }
    return {};
  }

  base::Error touch(std::string_view key, base::Millis, l2::Outcome& outcome) noexcept override {
    if (down) {
      outcome = l2::Outcome::kFailed;
      return {base::ErrorCode::kTimeout, "down"};
    }
    const base::MutexLock lock(mutex_);
    outcome = values_.contains(key) ? l2::Outcome::kHit : l2::Outcome::kMiss;
    return {};
  }

  base::Error clear() noexcept override {
    if (down) return {base::ErrorCode::kTimeout, "down"};
    const base::MutexLock lock(mutex_);
    values_.clear();
    return {};
  }

  [[nodiscard]] l2::Status status(bool) noexcept override {
    l2::Status status;
    status.outcome = down ? l2::Outcome::kFailed : l2::Outcome::kHit;
    return status;
  }
  [[nodiscard]] bool is_silent() const noexcept override { return silent; }
  void close() noexcept override {}

  // What somebody else stores.
  void write(const l2::Write& write) {
    Stored stored{.shape_only = write.value,
                  .payload = {write.value.payload.begin(), write.value.payload.end()},
                  .ttl = write.ttl == base::Millis{0} ? base::Millis{-1} : write.ttl};
    stored.shape_only.payload = {};
    stored.shape_only.metadata = {};
    const base::MutexLock lock(mutex_);
    values_.insert_or_assign(std::string(write.key), std::move(stored));
  }

 private:
  struct Stored {
    base::ValueView shape_only;
    std::vector<std::byte> payload;
    base::Millis ttl;
  };

  static void run_once(std::function<void()>& hook) {
    const auto now = std::exchange(hook, nullptr);
    if (now) now();
  }

  base::Mutex mutex_;
  std::map<std::string, Stored, std::less<>> values_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::testing
