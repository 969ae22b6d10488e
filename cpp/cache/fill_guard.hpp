#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.hpp"

namespace vcache::cache {

// Keeps memory from holding a value older than what Redis got: a reader that fetched before or
// while a writer wrote must not leave its copy behind. Writers mark the stripe of each key as being
// written; a fill counts only when no write began or ran between its fetch and its insertion, which
// is asked under the lock that the insertion holds.
// Lock-free; thread-safe.
class FillGuard {
 public:
  // What a fill remembers of the moment before its fetch, for all its keys.
  struct Token {
    std::uint64_t sequence = 0;
    bool quiet = false;  // no write was under way
  };

  FillGuard() : stripes_(kStripes) {}

  [[nodiscard]] Token begin_fill() const noexcept {
    const std::uint64_t sequence = sequence_.load();
    return {.sequence = sequence, .quiet = active_.load() == 0};
  }
  // True when a copy fetched since begin_fill() may enter memory now.
  [[nodiscard]] bool may_keep(std::string_view key, const Token& token) const noexcept {
    if (token.quiet && sequence_.load() == token.sequence) return true;
    const std::uint64_t stripe = stripes_[stripe_of(key)].load();
    return writers(stripe) == 0 && last_of(stripe) <= token.sequence &&
           void_until_.load() <= token.sequence;
  }
  // Voids all fills under way of these keys: somebody else wrote to them.
  void void_keys(std::span<const std::string_view> keys) noexcept;
  // Voids all fills under way, of every key.
  void void_all() noexcept;
  // Ends all fills and writes under way: in a forked child nobody is left to.
  void forget_all() noexcept;

 private:
  friend class WriteMark;

  // 16,384: two threads that write batches of 256 share a stripe for 1.5 % of their keys.
  static constexpr std::size_t kStripes = std::size_t{1} << 14;
  // A stripe: how many writes to it are under way, and above that the sequence number of the last
  // begin or end of one.
  static constexpr unsigned kSequenceShift = 16;
  static constexpr std::uint64_t kWritersMask = (std::uint64_t{1} << kSequenceShift) - 1;

  [[nodiscard]] static std::uint32_t stripe_of(std::string_view key) noexcept {
    return static_cast<std::uint32_t>(base::hash64(key, 0) % kStripes);
  }
  [[nodiscard]] static std::uint64_t writers(std::uint64_t stripe) noexcept {
    return stripe & kWritersMask;
  }
  [[nodiscard]] static std::uint64_t last_of(std::uint64_t stripe) noexcept {
    return stripe >> kSequenceShift;
  }
  // Number of the begin or end of a write, which is then to be marked in each of its stripes.
  [[nodiscard]] std::uint64_t begin_write() noexcept {
    active_.fetch_add(1);
    return sequence_.fetch_add(1) + 1;
  }
  [[nodiscard]] std::uint64_t end_write() noexcept { return sequence_.fetch_add(1) + 1; }
  // After the end is marked.
  void leave_write() noexcept { active_.fetch_sub(1); }
  // Each returns how many writes to the stripe were under way before.
  std::uint64_t mark_begin(std::uint32_t stripe, std::uint64_t sequence) noexcept;
  std::uint64_t mark_end(std::uint32_t stripe, std::uint64_t sequence) noexcept;
  template <class Change>
  std::uint64_t mark(std::uint32_t stripe, std::uint64_t sequence, Change change) noexcept;

  std::vector<std::atomic<std::uint64_t>> stripes_;
  std::atomic<std::uint64_t> sequence_{0};    // of begins and ends of writes
  std::atomic<std::uint64_t> active_{0};      // writes under way
  std::atomic<std::uint64_t> void_until_{0};  // fills that began before this number are void
};

// Marks keys as being written, until finish() or the end of its life.
class WriteMark {
 public:
  WriteMark(FillGuard& guard, std::span<const std::string_view> keys);
  ~WriteMark() { (void)finish(); }
  WriteMark(const WriteMark&) = delete;
  WriteMark& operator=(const WriteMark&) = delete;

  // Ends the marks. Returns the keys whose stripe another writer wrote to meanwhile: which of the
  // two values each tier holds is unknown, so their copies in memory have to go.
  [[nodiscard]] std::vector<std::string_view> finish() noexcept;

 private:
  FillGuard& guard_;
  std::span<const std::string_view> keys_;
  std::vector<std::uint32_t> stripes_;    // distinct, sorted
  std::vector<std::uint32_t> contested_;  // sorted by the end of finish()
  std::vector<std::string_view> met_;  // has room for all keys, so that finish() allocates nothing
};

}  // namespace vcache::cache
