#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "cache/owed_patterns.hpp"
#include "cache/pending.hpp"
#include "l2/l2.hpp"
#include "l2/listener.hpp"

namespace vcache::cache {

// An L2 that makes up for what it did not take: such writes and deletions wait, and the keeper
// sends them as soon as there is an answer again. While one waits for a key it is the truth of this
// process, whatever the tier says of the key, and later writes of the key take its place instead of
// being sent beside it. So no older value comes back, nor overwrites a newer one.
// Thread-safe. What waits in a parent process is the parent's to send.
class Recovery final : public l2::L2, public base::Chore {
 public:
  // At its end no more than `closing`, and the calls under way then, goes into what still waits.
  // The listener, which outlives it, hears of keys that were erased later: a value that became a
  // deletion may be in memory still, and of the removal of what is not there nobody is told.
  Recovery(std::unique_ptr<l2::L2> tier, const base::Clock& clock,
           const PendingWrites::Limits& limits, base::Millis closing,
           l2::Listener& listener = l2::deaf_listener());
  ~Recovery() override;

  base::Error fetch(std::span<const std::string_view> keys, l2::FetchSink& sink) noexcept override;
  base::Error store(l2::WriteSource& writes, std::span<l2::Outcome> outcomes) noexcept override;
  base::Error erase(std::span<const std::string_view> keys,
                    std::span<l2::Outcome> outcomes) noexcept override;
  base::Error touch(std::string_view key, base::Millis ttl, l2::Outcome& outcome) noexcept override;
  base::Error clear() noexcept override;
  base::Error take_stamp(std::span<const std::string_view> tags, base::Millis ttl,
                         std::uint64_t& stamp) noexcept override {
    return tier_->take_stamp(tags, ttl, stamp);
  }
  base::Error invalidate_tags(std::span<const std::string_view> tags) noexcept override;
  [[nodiscard]] bool owes() const noexcept override { return tier_->owes(); }
  base::Error pay() noexcept override { return tier_->pay(); }
  base::Error erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                             Progress& progress) noexcept override;
  base::Error look(std::span<const std::string_view> keys,
                   std::span<l2::Outcome> outcomes) noexcept override;
  base::Error list(std::string_view pattern, Page& page) noexcept override;
  [[nodiscard]] l2::Status status(bool probe) noexcept override;
  void close() noexcept override;
  [[nodiscard]] bool skips(std::string_view key) noexcept override;
  // Whatever waits: a value that does is what memory has, if that has one.
  [[nodiscard]] bool is_silent() const noexcept override { return tier_->is_silent(); }
  [[nodiscard]] l2::Leases& leases() noexcept override { return tier_->leases(); }
  [[nodiscard]] base::Keeper* keeper() noexcept override { return tier_->keeper(); }
  [[nodiscard]] l2::Blobs& blobs() noexcept override { return tier_->blobs(); }
  [[nodiscard]] bool has_news() const noexcept override { return tier_->has_news(); }
  [[nodiscard]] std::vector<l2::Event> take_news() override { return tier_->take_news(); }

  // Sends some of what waits, after the invalidations that are owed; in how long it is wanted
  // again. For the keeper, and for tests.
  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}

 private:
  base::Error fetch_rest(std::span<const std::string_view> keys, l2::FetchSink& sink) noexcept;
  base::Error store_rest(l2::WriteSource& writes, std::span<l2::Outcome> outcomes);
  base::Error store_all(l2::WriteSource& writes, std::span<l2::Outcome> outcomes);
  base::Error erase_rest(std::span<const std::string_view> keys, std::span<l2::Outcome> outcomes);
  base::Error erase_all(std::span<const std::string_view> keys, std::span<l2::Outcome> outcomes);
  base::Error touch_rest(std::string_view key, base::Millis ttl, l2::Outcome& outcome);
  // The newest of its key waits from now on.
  void wait(PendingRef pending);
  // The same where nothing waits for its key; else false.
  [[nodiscard]] bool wait_if_alone(PendingRef pending);
  void schedule() noexcept;
  [[nodiscard]] PendingRef pending_write(const l2::Write& write) const;
  [[nodiscard]] PendingRef find_waiting(std::string_view key);
  base::Error look_rest(std::span<const std::string_view> keys, std::span<l2::Outcome> outcomes);
  base::Error list_rest(std::string_view pattern, Page& page);
  [[nodiscard]] bool hold_back(const l2::Write& write);
  [[nodiscard]] bool touch_waiting(std::string_view key, base::Millis ttl, l2::Outcome& outcome);
  void owe(std::string_view pattern, const Progress& progress) noexcept;
  // Has what waits sent by the keeper of this process.
  void see_to_it() noexcept;
  [[nodiscard]] base::Error end_unless_told(base::Error error) noexcept;
  // Has the tier make up for invalidations that failed.
  void make_up() noexcept;
  void pay_patterns();
  // Nothing more is to be sent.
  [[nodiscard]] bool is_over() const noexcept {
    return std::chrono::steady_clock::now() >= end_.load();
  }
  void keep_tags(std::span<const PendingRef> batch);
  [[nodiscard]] std::vector<PendingWrites::End> send_due(std::span<const PendingRef> batch);
  [[nodiscard]] std::vector<PendingWrites::End> send(std::span<const PendingRef> batch);
  void tell_of_erased(std::span<const PendingRef> batch, std::span<const PendingWrites::End> ends);

  // Own synchronization.
  const std::unique_ptr<l2::L2> tier_;
  l2::Listener& listener_;
  PendingWrites pending_;
  std::atomic<const base::Keeper*> scheduled_{nullptr};  // the keeper that has the chore
  OwedPatterns patterns_;
  std::atomic<bool> closed_{false};
  std::atomic<std::chrono::steady_clock::time_point> end_{
      std::chrono::steady_clock::time_point::max()};  // of what is sent

  const base::Millis closing_;
};

}  // namespace vcache::cache
