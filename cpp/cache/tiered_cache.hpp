#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/fork.hpp"
#include "base/result.hpp"
#include "cache/admission.hpp"
#include "cache/coherence.hpp"
#include "cache/counters.hpp"
#include "cache/fill_guard.hpp"
#include "cache/lifetimes.hpp"
#include "cache/located.hpp"
#include "cache/options.hpp"
#include "cache/ttl_choice.hpp"
#include "l1/l1_cache.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// Rows that get_vectors() fills: `width` elements of `dtype` each.
struct VectorRows {
  base::DType dtype = base::DType::kFloat32;
  std::uint32_t width = 0;
  std::byte* data = nullptr;  // row-major, as many rows as keys
  bool* found = nullptr;      // one a row
};

class RowSink;

// One probe of each tier.
struct Probe {
  bool memory_ok = false;
  double memory_seconds = 0;
  l2::Status redis;
  double redis_seconds = 0;
};

// Joins the tiers: looks up memory, then Redis, and promotes what Redis had into memory; writes to
// both. L1 and L2 know nothing of each other. Where there is Redis, the admission says what enters
// memory. Thread-safe; takes no Python lock.
// A failure of Redis is a counted miss; the returned Error is for callers that raise (strict).
class TieredCache final : private base::ForkParticipant {
 public:
  // Requires: options.validate().ok(). `clock` outlives the cache.
  TieredCache(CacheOptions options, std::unique_ptr<l2::L2> redis, bool has_redis,
              const base::Clock& clock);
  // The tier is made with who has to hear of changes in it. Called once.
  using MakeL2 = std::function<std::unique_ptr<l2::L2>(l2::Listener&)>;
  TieredCache(CacheOptions options, const MakeL2& make_redis, bool has_redis,
              const base::Clock& clock);

  // Memory only: a hit is counted, a miss is not.
  [[nodiscard]] l1::EntryRef find_memory(std::string_view key) { return memory_.find(key); }
  // The same for what is unverified, where that is what asking Redis would come to.
  [[nodiscard]] l1::EntryRef find_unverified(std::string_view key) {
    return memory_stands_in() ? memory_.find_unverified(key) : l1::EntryRef();
  }
  // Both for many keys, out[i] for keys[i]; true when what is there is unverified. `stale` says
  // whether such is wanted. Requires: out.size() == keys.size(), out all empty.
  bool find_many_in_memory(std::span<const std::string_view> keys, std::span<l1::EntryRef> out,
                           Stale stale);
  void count_miss(std::string_view key);
  // After a miss in memory: counts one of both tiers where Redis is not asked for it and memory has
  // nothing stale, which takes hardly longer than a miss in memory. Else false.
  [[nodiscard]] bool skip_redis(std::string_view key);
  // What was counted as a miss got a stale value of that tier after all.
  void count_stale(std::string_view key, Tier tier);

  // After a miss in memory: Redis, then a counted miss.
  base::Error find_redis(std::string_view key, Located& out, Stale stale = Stale::kUnanswered);
  // Both tiers; out[i] for keys[i]. Requires: out.size() == keys.size(), out all empty.
  base::Error find_many(std::span<const std::string_view> keys, std::span<Located> out,
                        Stale stale = Stale::kUnanswered);
  // As find_many(), for keys whose look-up was counted already.
  base::Error find_again(std::span<const std::string_view> keys, std::span<Located> out,
                         Stale stale);
  // Both tiers, rows copied out; a value of another type or width counts as a mismatch and a miss.
  // `slowest` becomes the slowest tier that was asked.
  base::Error get_vectors(std::span<const std::string_view> keys, const VectorRows& rows,
                          Tier& slowest);
  // True when get_vectors() has Redis' answers copied into the rows as they come, there being no
  // memory tier to keep them.
  [[nodiscard]] bool reads_rows_from_redis() const noexcept {
    return has_redis_ && memory_.limit_bytes() == 0;
  }
  // The same for rows of a width that is a guess: false, and nothing counted, when a value was
  // there that is not of their type and width. Requires: reads_rows_from_redis().
  [[nodiscard]] bool get_likely_vectors(std::span<const std::string_view> keys,
                                        const VectorRows& rows, base::Error& error) {
    return fetch_rows(keys, rows, error, false);
  }
  // Copies rows out of what find_many() found, and corrects its counts for mismatches.
  void gather(std::span<const Located> located, const VectorRows& rows);
  // Memory only: what find_memory() or else find_unverified() has, neither counted nor noted as an
  // access.
  [[nodiscard]] l1::EntryRef peek_memory(std::string_view key);

  // When a value with these tags is made whose making begins now. Where Redis fails, what is known.
  base::Error begin(std::span<const std::string_view> tags, const Lifetimes& lifetimes,
                    base::Moment& made);
  // `made`: of values with tags.
  base::Error put(std::string_view key, const base::ValueView& value, const Lifetimes& lifetimes,
                  const base::Moment& made = {});
  base::Error put_many(std::span<const std::string_view> keys,
                       std::span<const base::ValueView> values, const Lifetimes& lifetimes,
                       const base::Moment& made = {});
  // How many of the keys were in either tier.
  base::Error erase(std::span<const std::string_view> keys, std::size_t& erased);
  base::Error touch(std::string_view key, const Lifetimes& lifetimes, bool& found);
  base::Error contains(std::string_view key, bool& found);
  // found[i]: whether either tier has keys[i]. Requires: found.size() == keys.size().
  base::Error contains_many(std::span<const std::string_view> keys, std::span<bool> found);
  // Walks through the keys of one tier that begin with `prefix` and that a look-up in it would
  // find.
  [[nodiscard]] std::optional<l1::L1Cache::Place> list_memory(l1::L1Cache::Place place,
                                                              std::string_view prefix,
                                                              std::vector<std::string>& keys) const;
  base::Error list_redis(std::string_view prefix, l2::L2::Page& page);
  base::Error clear();
  // Ends all values with one of these tags whose making began before.
  base::Error invalidate_tags(std::span<const std::string_view> tags);
  // Erases all values under keys that the glob pattern takes; how many there were.
  base::Error invalidate(std::string_view pattern, std::size_t& erased);
  [[nodiscard]] Probe probe();
  void close() noexcept;

  [[nodiscard]] bool has_redis() const noexcept { return has_redis_; }
  [[nodiscard]] const CacheOptions& options() const noexcept { return options_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] l1::L1Cache& memory() noexcept { return memory_; }
  // Whom what is fetched has to pass on its way into memory.
  [[nodiscard]] const FillGuard& fills() const noexcept { return fills_; }
  [[nodiscard]] const TtlChoice& ttls() const noexcept { return ttls_; }
  [[nodiscard]] l2::L2& redis() const noexcept { return *redis_; }
  // Null where look-ups are not recorded.
  [[nodiscard]] l1::AccessLog* access_log() const noexcept { return log_.get(); }
  [[nodiscard]] Coherence& coherence() noexcept { return coherence_; }
  [[nodiscard]] const metrics::GroupTable& groups() const noexcept { return groups_; }

 private:
  // Whether memory serves what it has unverified before Redis is asked: Redis is known to give no
  // answer, so that it would be served after.
  [[nodiscard]] bool memory_stands_in() const noexcept {
    return memory_.in_doubt() && redis_->is_silent();
  }
  base::Error fetch(std::span<const std::string_view> keys, std::span<const std::uint32_t> places,
                    std::span<Located> out, Stale stale);
  base::Error find_missing(std::span<const std::string_view> keys,
                           std::span<const std::uint32_t> places, std::span<Located> out,
                           Stale stale);
  bool fetch_rows(std::span<const std::string_view> keys, const VectorRows& rows,
                  base::Error& error, bool even_if_uneven);
  // Records what a look-up that memory did not answer came to.
  void record(std::string_view key, metrics::GroupId group, const Located& located);
  void record_rows(std::span<const std::string_view> keys, const RowSink& sink);
  void gather_row(const Located& from, const VectorRows& rows, std::size_t place);
  void refuse_row(const l1::Entry& entry, Tier tier, const VectorRows& rows, std::size_t place);
  base::Error put_both(std::span<const std::string_view> keys,
                       std::span<const base::ValueView> values, const Lifetimes& lifetimes,
                       const base::Moment& made);
  void drop_from_memory(std::span<const std::string_view> keys);

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  // Constant after construction.
  const CacheOptions options_;
  const bool has_redis_;
  // Own synchronization.
  metrics::GroupTable groups_;
  l1::L1Cache memory_;
  const std::unique_ptr<l1::AccessLog> log_;
  FillGuard fills_;
  Coherence coherence_{memory_, fills_};
  std::unique_ptr<l2::L2> redis_;
  Counters counters_;
  Admission admission_;
  Jitter jitter_;
  const TtlChoice ttls_{options_, memory_, jitter_};
  base::ForkRegistration fork_registration_{*this};  // last: takes part while all else lives
};

}  // namespace vcache::cache
