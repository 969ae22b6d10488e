#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "l2/codec/fingerprint.hpp"

namespace vcache::l2::tracking {

// The checksums of the values that this process wrote last, by key, so that a push for a key tells
// whose write it stands for: the copy in memory is ours as long as the server has that checksum.
// A bounded number; what is forgotten costs its copy, no more. Thread-safe.
class OwnWrites {
 public:
  // Until enabled, nothing is kept and no call costs anything.
  void enable();
  [[nodiscard]] bool enabled() const noexcept { return enabled_.load(std::memory_order_acquire); }

  // The value with this checksum is about to be sent. To be called before it can arrive.
  void note(const codec::Fingerprint& key, std::uint64_t checksum) noexcept;
  // The value that we wrote with the checksum `from` is about to be replaced by the same one with
  // another header.
  void note_again(const codec::Fingerprint& key, std::uint64_t from, std::uint64_t to) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> find(const codec::Fingerprint& key) const noexcept;
  void forget(const codec::Fingerprint& key) noexcept;
  void clear() noexcept;

  // The generation that this process is about to make, or has made.
  void note_generation(std::uint64_t generation) noexcept { generation_.store(generation); }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(); }

  // Before the first link is up nobody is told of changes. What is written, and what is read by a
  // call that began by then, is recorded with its key, to be verified when the link is there.
  [[nodiscard]] bool recording() const noexcept {
    return recording_.load(std::memory_order_acquire);
  }
  // Notes a value and records its key. Requires: `checksum` is that of the copy in memory.
  void record(std::string_view key, const codec::Fingerprint& fingerprint,
              std::uint64_t checksum) noexcept;
  // Records tags of such a value.
  void record_tags(std::span<const std::string_view> tags) noexcept;
  // What was recorded since this was last asked.
  struct Recorded {
    std::vector<std::string> keys;
    std::vector<std::string> tags;  // may be in there several times
  };
  // Ends the recording, but for the calls that have begun. Nothing when there was too much.
  [[nodiscard]] std::optional<Recorded> take_recorded() noexcept;

 private:
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kSets = std::size_t{1} << 12;
  static constexpr std::size_t kMostRecorded = 4096;

  struct Slot {
    std::uint64_t key = 0;  // half of the fingerprint; 0: free
    std::uint64_t checksum = 0;
  };
  struct Set {
    std::array<Slot, kWays> slots;
  };

  [[nodiscard]] static std::uint64_t tag_of(const codec::Fingerprint& key) noexcept;
  [[nodiscard]] Slot* find_locked(std::uint64_t tag) VCACHE_REQUIRES(mutex_);
  // A free slot, or one whose key is forgotten for it.
  [[nodiscard]] Slot* find_free_locked(std::uint64_t tag) VCACHE_REQUIRES(mutex_);
  void record_name(std::vector<std::string>& names, std::string_view name) noexcept
      VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Set& set_of(std::uint64_t tag) VCACHE_REQUIRES(mutex_) {
    return sets_[tag % kSets];
  }

  // Own synchronization.
  std::atomic<bool> enabled_{false};
  std::atomic<bool> recording_{false};
  std::atomic<std::uint64_t> generation_{0};

  mutable base::SpinMutex mutex_;
  std::vector<Set> sets_ VCACHE_GUARDED_BY(mutex_);
  std::size_t next_way_ VCACHE_GUARDED_BY(mutex_) = 0;  // to be given up when all are taken
  Recorded recorded_ VCACHE_GUARDED_BY(mutex_);
  bool too_many_ VCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace vcache::l2::tracking
