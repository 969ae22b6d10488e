#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/mutex.hpp"
#include "l1/access/access.hpp"
#include "l1/access/access_ring.hpp"
#include "l1/access/log_writer.hpp"

namespace vcache::l1 {

struct AccessLogOptions {
  LogFileOptions file;
  std::uint64_t seed = 0;  // of the hashes of keys

  // Makes the file where there is none.
  [[nodiscard]] base::Error validate() const;
};

// Look-ups of one cache, as they happen: the newest are kept, and all are written to a file, by a
// thread that starts with the first of them. It takes no signal and never meets Python.
//
// Whoever looks up pushes into the ring of the key's shard, under the shard's lock, and waits for
// nothing. What the rings or the file have no room for is dropped and counted; an error of the file
// is counted, told of once, and it is tried again.
//
// A forked child writes to the same file by a thread of its own, and keeps what was kept. Of what
// waits to be written when a process is killed or leaves by _exit(), the last few hundredths of a
// second, nothing is written. Thread-safe.
class AccessLog final : private LogSource {
 public:
  static constexpr std::size_t kKept = std::size_t{1} << 16;

  struct Counts {
    std::uint64_t recorded = 0;  // not dropped, at least not yet
    std::uint64_t dropped = 0;
    std::uint64_t errors = 0;  // of the file
  };

  // `clock` and `groups` outlive it. Requires: `shards` of at least 1.
  AccessLog(const AccessLogOptions& options, std::size_t shards, const base::Clock& clock,
            const metrics::GroupTable& groups);
  ~AccessLog() { close(); }

  [[nodiscard]] std::uint64_t hash_of(std::string_view key) const noexcept {
    return base::hash64(key, seed_);
  }
  // The first of as many places in the order of all accesses, as they were taken.
  [[nodiscard]] std::uint32_t take_places(std::size_t count) noexcept {
    return places_.fetch_add(static_cast<std::uint32_t>(count), std::memory_order_acq_rel);
  }
  // Requires of its producers: the shard's lock.
  [[nodiscard]] AccessRing& ring(std::size_t shard) noexcept { return *rings_[shard]; }
  // To be called before a look-up, outside of all locks: sees to the thread.
  void begin() noexcept VCACHE_EXCLUDES(mutex_) {
    if (!begun_.load(std::memory_order_relaxed)) [[unlikely]]
      start();
  }

  // Up to `most` of the newest accesses that were pushed before, the oldest first, of groups that
  // GroupNames has. Throws std::bad_alloc.
  [[nodiscard]] std::vector<Access> newest(std::size_t most) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] Counts counts() const noexcept VCACHE_EXCLUDES(mutex_);
  // Writes all that was pushed before, and ends the thread. A look-up after that starts it anew.
  void close() noexcept VCACHE_EXCLUDES(mutex_);

  // Whether an operator should read something in a log, and what; told once.
  [[nodiscard]] bool has_notice() const noexcept {
    return has_notice_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<std::string> take_notice() VCACHE_EXCLUDES(mutex_);

  // For a fork. Requires: the locks of all shards are held.
  void before_fork() noexcept VCACHE_ACQUIRE(mutex_);
  void after_fork_in_parent() noexcept VCACHE_RELEASE(mutex_);
  void after_fork_in_child() noexcept VCACHE_RELEASE(mutex_);

 private:
  void start() noexcept VCACHE_EXCLUDES(mutex_);
  // Empties the rings, in the order of all accesses.
  void collect() VCACHE_REQUIRES(mutex_);
  void deliver(std::span<Access> accesses) VCACHE_REQUIRES(mutex_);
  void collect_if_possible() noexcept VCACHE_REQUIRES(mutex_);
  void date(Access& access, std::int64_t offset) noexcept VCACHE_REQUIRES(mutex_);
  void keep(const Access& access) noexcept VCACHE_REQUIRES(mutex_);
  [[nodiscard]] std::unique_ptr<LogWriter> make_writer();
  [[nodiscard]] std::unique_ptr<LogWriter> take_writer() noexcept VCACHE_EXCLUDES(mutex_);

  void take_unwritten(std::vector<Access>& out) override VCACHE_EXCLUDES(mutex_);
  void count_dropped(std::uint64_t accesses) noexcept override VCACHE_EXCLUDES(mutex_);
  void report(std::uint64_t errors, std::string notice) noexcept override VCACHE_EXCLUDES(mutex_);

  // Constant after construction.
  const LogFileOptions file_;
  const std::uint64_t seed_;
  const base::Clock& clock_;
  const metrics::GroupTable& groups_;
  std::vector<std::unique_ptr<AccessRing>> rings_;  // by shard

  // Own synchronization.
  std::atomic<bool> begun_{false};  // set under mutex_
  std::atomic<bool> has_notice_{false};
  std::atomic<std::uint32_t> places_{0};

  mutable base::Mutex mutex_;
  std::unique_ptr<LogWriter> writer_ VCACHE_GUARDED_BY(mutex_);
  std::vector<Access> collected_ VCACHE_GUARDED_BY(mutex_);
  std::vector<Access> unwritten_ VCACHE_GUARDED_BY(mutex_);
  std::vector<Access> kept_ VCACHE_GUARDED_BY(mutex_);    // a circle once there are kKept
  std::size_t oldest_ VCACHE_GUARDED_BY(mutex_) = 0;      // in kept_
  std::int64_t last_time_ VCACHE_GUARDED_BY(mutex_) = 0;  // milliseconds since the epoch
  std::uint64_t dropped_ VCACHE_GUARDED_BY(mutex_) = 0;   // by others than the rings
  std::uint64_t errors_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::string notice_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::l1
