#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace vcache::cache {

// Keeps memory from holding a value older than what Redis got: a reader that fetched before or
// while a writer wrote must not leave its copy behind. Writers mark the stripe of each key as being
// written; a fill counts only when no write began or ran between its fetch and its insertion, which
// is asked under the lock that the insertion holds.
// Lock-free; thread-safe.
class FillGuard {
 public:
  // What a fill remembers of the moment before its fetch.
  struct Token {
    std::uint64_t stripe = 0;
    std::uint64_t epoch = 0;
  };

  FillGuard() : stripes_(kStripes) {}

  [[nodiscard]] Token begin_fill(std::string_view key) const noexcept {
    return {.stripe = stripes_[stripe_of(key)].load(), .epoch = epoch_.load()};
  }
  // True when a copy fetched since begin_fill() may enter memory now.
  [[nodiscard]] bool may_keep(std::string_view key, const Token& token) const noexcept {
    return writers(token.stripe) == 0 && stripes_[stripe_of(key)].load() == token.stripe &&
           epoch_.load() == token.epoch;
  }
  // Voids all fills under way, of every key.
  void void_all() noexcept { epoch_.fetch_add(1); }
  // Ends all fills and writes under way: in a forked child nobody is left to.
  void forget_all() noexcept;

  [[nodiscard]] static std::uint32_t stripe_of(std::string_view key) noexcept {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key) % kStripes);
  }
  // True when no other write to the stripe is under way.
  bool begin_write(std::uint32_t stripe) noexcept {
    return writers(stripes_[stripe].fetch_add(kWriter)) == 0;
  }
  // True when no other write to the stripe is still under way.
  bool end_write(std::uint32_t stripe) noexcept {
    return writers(stripes_[stripe].fetch_add(kVersion - kWriter)) == 1;
  }

 private:
  // 16,384: two threads that write batches of 256 share a stripe for 1.5 % of their keys.
  static constexpr std::size_t kStripes = std::size_t{1} << 14;
  static constexpr std::uint64_t kWriter = 1;
  static constexpr std::uint64_t kVersion = std::uint64_t{1} << 20;

  [[nodiscard]] static std::uint64_t writers(std::uint64_t stripe) noexcept {
    return stripe & (kVersion - 1);
  }

  std::vector<std::atomic<std::uint64_t>> stripes_;
  std::atomic<std::uint64_t> epoch_{0};
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
};

}  // namespace vcache::cache
