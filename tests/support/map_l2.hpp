#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.hpp"
#include "base/mutex.hpp"
#include "base/tags.hpp"
#include "l2/l2.hpp"

namespace vcache::testing {

// An L2 in a map, with hooks that order threads: after_fetch runs between reading the values and
// handing them over, before_fetch, before_store and before_touch before anything else; each once.
// `down` fails all calls; with `forgets` each value that was handed over is void afterwards.
class MapL2 final : public l2::L2 {
 public:
  std::function<void()> before_fetch;
  std::function<void()> after_fetch;
  std::function<void()> before_store;
  std::function<void()> before_touch;
  std::atomic<bool> down = false;
  std::atomic<bool> silent = false;  // as a breaker knows it to be
  std::atomic<int> fetches = 0;
  bool forgets = false;
  bool refuses_values = false;  // as a full server does
  bool forbids_patterns = false;
  bool forbids_looks = false;  // a touch has no answer
  std::uint64_t hands_over_as_made_here = base::Moment::kElsewhere;
  std::atomic<int> clears = 0;

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
      } else if (!is_current(at->second)) {
        sink.on_absent(i, l2::Outcome::kExpired);
      } else {
        l2::StoredValue stored{
            .value = at->second.shape_only,
            .remaining = at->second.ttl,
            .made = {.here = hands_over_as_made_here, .shared = at->second.stamp}};
        stored.value.payload = at->second.payload;
        stored.value.tags = at->second.tags;
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
    run_once(before_touch);
    if (down || forbids_looks) {
      outcome = l2::Outcome::kFailed;
      return {down ? base::ErrorCode::kTimeout : base::ErrorCode::kAuth, "no"};
    }
    (void)pay();
    const base::MutexLock lock(mutex_);
    outcome = values_.contains(key) ? l2::Outcome::kHit : l2::Outcome::kMiss;
    return {};
  }

  base::Error clear() noexcept override {
    owes_clear_ = down.load();
    if (down) return {base::ErrorCode::kTimeout, "down"};
    const base::MutexLock lock(mutex_);
    values_.clear();
    ++clears;
    return {};
  }

  [[nodiscard]] bool owes() const noexcept override { return owes_clear_; }
  base::Error pay() noexcept override { return owes_clear_ ? clear() : base::Error{}; }

  // One step for all calls; the stamps of tags are steps.
  base::Error take_stamp(std::span<const std::string_view> tags, base::Millis,
                         std::uint64_t& stamp) noexcept override {
    const base::MutexLock lock(mutex_);
    if (down) {
      stamp = known_stamp_;
      return {base::ErrorCode::kTimeout, "down"};
    }
    for (const std::string_view tag : tags) tags_.try_emplace(std::string(tag), step_);
    stamp = known_stamp_ = step_;
    return {};
  }

  base::Error invalidate_tags(std::span<const std::string_view> tags) noexcept override {
    if (down) return {base::ErrorCode::kTimeout, "down"};
    const base::MutexLock lock(mutex_);
    ++step_;
    for (const std::string_view tag : tags) tags_[std::string(tag)] = step_;
    return {};
  }

  base::Error erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                             Progress& /*progress*/) noexcept override {
    if (down) return {base::ErrorCode::kTimeout, "down"};
    if (forbids_patterns) return {base::ErrorCode::kForbidden, "no SCAN"};
    const base::MutexLock lock(mutex_);
    for (auto at = values_.begin(); at != values_.end();) {
      const auto each = at++;
      if (!base::matches_glob(pattern, each->first)) continue;
      erased.push_back(each->first);
      values_.erase(each);
    }
    return {};
  }

  base::Error look(std::span<const std::string_view> keys,
                   std::span<l2::Outcome> outcomes) noexcept override {
    for (std::size_t i = 0; i < keys.size(); ++i) (void)touch(keys[i], {}, outcomes[i]);
    if (down) return {base::ErrorCode::kTimeout, "down"};
    return {};
  }

  // All in one step.
  base::Error list(std::string_view pattern, Page& page) noexcept override {
    if (down) return {base::ErrorCode::kTimeout, "down"};
    const base::MutexLock lock(mutex_);
    for (const auto& [key, value] : values_) {
      if (base::matches_glob(pattern, key)) page.keys.push_back(key);
    }
    page.is_last = true;
    return {};
  }

  [[nodiscard]] l2::Status status(bool) noexcept override {
    l2::Status status;
    status.breaker = down ? "open" : "closed";
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
    stored.shape_only.tags = {};
    stored.tags.assign(write.value.tags.begin(), write.value.tags.end());
    stored.stamp = write.made.shared;
    const base::MutexLock lock(mutex_);
    values_.insert_or_assign(std::string(write.key), std::move(stored));
  }

 private:
  struct Stored {
    base::ValueView shape_only;
    std::vector<std::byte> payload;
    base::Millis ttl;
    std::vector<std::byte> tags = {};
    std::uint64_t stamp = 0;
  };

  [[nodiscard]] bool is_current(const Stored& stored) {
    const base::MutexLock lock(mutex_);
    return std::ranges::all_of(base::decode_tags(stored.tags),
                               [&](std::string_view tag) VCACHE_REQUIRES(mutex_) {
                                 const auto at = tags_.find(tag);
                                 return at != tags_.end() && at->second <= stored.stamp;
                               });
  }

  static void run_once(std::function<void()>& hook) {
    const auto now = std::exchange(hook, nullptr);
    if (now) now();
  }

  std::atomic<bool> owes_clear_ = false;
  base::Mutex mutex_;
  std::map<std::string, Stored, std::less<>> values_ VCACHE_GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t, std::less<>> tags_ VCACHE_GUARDED_BY(mutex_);
  std::uint64_t step_ VCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t known_stamp_ VCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace vcache::testing
