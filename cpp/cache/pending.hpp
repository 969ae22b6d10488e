#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/fork.hpp"
#include "base/mutex.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// What Redis should have been told of one key.
struct Pending {
  enum class Kind : std::uint8_t { kValue, kErase, kTouch };

  Kind kind = Kind::kErase;
  std::string key;
  base::ValueView value{};                        // of kValue; views of `bytes`
  std::shared_ptr<const std::byte[]> bytes = {};  // NOLINT(modernize-avoid-c-arrays)
  base::Nanos made{0};                            // on the steady clock, as the next
  base::Nanos expires{0};                         // kNoExpiry: it has none
  base::Moment moment = {};                       // of a value with tags, as l2::Write has it

  static constexpr base::Nanos kNoExpiry = base::Nanos::max();

  // What a TTL says of it at `now`: at least 1 ms, 0 for none.
  [[nodiscard]] base::Millis ttl(base::Nanos now) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;
};
using PendingRef = std::shared_ptr<const Pending>;

// Throw std::bad_alloc. `ttl` 0: no expiry.
[[nodiscard]] PendingRef pending_value(const l2::Write& write, base::Nanos now);
[[nodiscard]] PendingRef pending_erase(std::string_view key, base::Nanos now);
[[nodiscard]] PendingRef pending_touch(std::string_view key, base::Millis ttl, base::Nanos now);
// The same value with another TTL.
[[nodiscard]] PendingRef touched(const Pending& value, base::Millis ttl, base::Nanos now);

// The writes that wait for Redis: one a key, the newest. Bounded: where there is no room the oldest
// values become deletions of their keys, and where that is not enough, or there are too many keys,
// the oldest one is dropped. A value whose time is over becomes a deletion as well:
// what Redis has of the key is older still.
// Thread-safe. A forked child inherits none: they are its parent's to send.
class PendingWrites final : private base::ForkParticipant {
 public:
  struct Limits {
    std::size_t keys = 10'000;
    std::size_t bytes = std::size_t{64} << 20;  // of keys and values
  };
  struct Counts {
    std::uint64_t waiting = 0;
    std::uint64_t recovered = 0;  // taken by Redis later
    std::uint64_t dropped = 0;    // given up: refused, or no room
  };
  // How the sending of one of a batch ended.
  enum class End : std::uint8_t {
    kTaken,
    kLater,    // Redis was not asked, or gave no answer
    kRefused,  // an answer, and not one that gives much hope
  };

  PendingWrites(const base::Clock& clock, const Limits& limits) : clock_(clock), limits_(limits) {}

  [[nodiscard]] bool empty() const noexcept { return count_.load() == 0; }
  [[nodiscard]] base::Nanos now() const noexcept { return clock_.steady(); }
  [[nodiscard]] bool waits(std::string_view key) const noexcept VCACHE_EXCLUDES(mutex_);
  // What waits for the key; null: nothing.
  [[nodiscard]] PendingRef find(std::string_view key) VCACHE_EXCLUDES(mutex_);
  // In the place of what waited for its key. True when nothing waited for any key before.
  bool put(PendingRef pending) VCACHE_EXCLUDES(mutex_);
  enum class Added : std::uint8_t {
    kNo,  // something waits for its key
    kYes,
    kFirst,  // nothing waited for any key before
  };
  // Where nothing waits for its key.
  [[nodiscard]] Added put_if_alone(PendingRef pending) VCACHE_EXCLUDES(mutex_);
  // As put(), where something waits for its key; else false.
  bool replace(PendingRef pending) VCACHE_EXCLUDES(mutex_);
  // The same where that is `expected`.
  bool replace(PendingRef pending, const PendingRef& expected) VCACHE_EXCLUDES(mutex_);
  // Has those values that are over become deletions of their keys.
  void end_values(const std::function<bool(const Pending&)>& is_over) VCACHE_EXCLUDES(mutex_);
  // Adds the keys of the values that the glob pattern takes. Throws std::bad_alloc.
  void add_keys(std::string_view pattern, std::vector<std::string>& keys) VCACHE_EXCLUDES(mutex_);
  // Drops all. What is being sent becomes a deletion.
  void clear() VCACHE_EXCLUDES(mutex_);

  // The next to be sent, up to `keys` of them and about `bytes`. Until end_batch() they are being
  // sent, by one caller at a time. Requires: so is nothing yet.
  [[nodiscard]] std::vector<PendingRef> begin_batch(std::size_t keys, std::size_t bytes)
      VCACHE_EXCLUDES(mutex_);
  // What was not taken, or was replaced meanwhile, goes on waiting behind the others.
  // Requires: ends.size() == batch.size().
  void end_batch(std::span<const PendingRef> batch, std::span<const End> ends)
      VCACHE_EXCLUDES(mutex_);

  [[nodiscard]] Counts counts() const VCACHE_EXCLUDES(mutex_);

 private:
  struct Entry;
  using Queue = std::list<Entry>;
  using Values = std::list<Queue::iterator>;
  struct Entry {
    PendingRef pending;
    std::uint8_t refusals = 0;
    bool being_sent = false;
    Values::iterator value = {};  // of a value: its place in values_
  };

  // Requires: nothing waits for its key.
  void append(PendingRef pending) VCACHE_REQUIRES(mutex_);
  void change(Queue::iterator place, PendingRef pending) VCACHE_REQUIRES(mutex_);
  void remove(Queue::iterator place) noexcept VCACHE_REQUIRES(mutex_);
  void end_one(const PendingRef& sent, End end) VCACHE_REQUIRES(mutex_);
  void give_up(Queue::iterator place) VCACHE_REQUIRES(mutex_);
  // What a value over its time became.
  void refresh(Queue::iterator place) VCACHE_REQUIRES(mutex_);
  void make_room() VCACHE_REQUIRES(mutex_);
  [[nodiscard]] bool is_full() const noexcept VCACHE_REQUIRES(mutex_) {
    return queue_.size() > limits_.keys || bytes_ > limits_.bytes;
  }

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  // Constant after construction.
  const base::Clock& clock_;
  const Limits limits_;

  // Own synchronization.
  std::atomic<std::size_t> count_{0};

  mutable base::Mutex mutex_;
  Queue queue_ VCACHE_GUARDED_BY(mutex_);    // the next to be sent first
  Values values_ VCACHE_GUARDED_BY(mutex_);  // those that are values, the first to go first
  // By key; each key lies in its entry.
  std::unordered_map<std::string_view, Queue::iterator> places_ VCACHE_GUARDED_BY(mutex_);
  std::size_t bytes_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t recovered_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_ VCACHE_GUARDED_BY(mutex_) = 0;
  base::ForkRegistration fork_registration_{*this};  // last: takes part while all else lives
};

}  // namespace vcache::cache
