#pragma once

#include <array>
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
#include "base/result.hpp"
#include "l1/learning/steward.hpp"
#include "l1/learning/tutor.hpp"
#include "l1/shard.hpp"

namespace vcache::l1 {

// Of the policy learned.
struct LearningOptions {
  policy::Scored::Model model = {};  // the one that was fitted elsewhere; none: classic policies
  policy::Objective objective = policy::Objective::kMisses;
  std::string pinned = {};  // the expert that always leads; empty: the best
  learning::TutorOptions tutor = {};
};

struct L1Options {
  std::size_t bytes = 0;    // 0: stores nothing
  std::size_t entries = 0;  // 0: bounded by bytes only
  std::string policy = "s3fifo";
  std::uint64_t seed = 0;                   // 0: random
  base::Nanos grace{0};                     // how long an expired entry is kept for peek_stale()
  std::optional<TtlByUse> ttl_by_use = {};  // with it the use of keys is counted
  LearningOptions learning = {};

  [[nodiscard]] base::Error validate() const;
};

// Who decides what is evicted, and why. Of all shards: sums, and the leader of most.
struct LearningStats {
  std::string leader = {};
  std::size_t led_shards = 0;  // by that one
  std::array<policy::ExpertRecord, policy::Learned::kExperts> experts = {};
  std::uint64_t switches = 0;
  std::uint64_t failures = 0;  // of models that led
  bool has_model = false;
  learning::TutorRecord tutor = {};
  predictor::Reliability reliability = {};  // of predict()
};

// Lifetime of an entry in L1, from now; kNoExpiry: none.
inline constexpr base::Nanos kNoExpiry = base::Nanos::max();
// Most of it, however often the entry is read: no more than it has at first.
inline constexpr base::Nanos kFixed{0};

// Entries being taken over. Used by one thread.
struct Restoration {
  struct Taken {
    policy::EntryId id = policy::kNoEntry;
    std::uint32_t uses = 0;
  };
  struct Share {
    bool is_full = false;
    std::vector<Taken> taken = {};  // where something learns of it
  };
  std::vector<Share> shards = {};
};

[[nodiscard]] std::uint64_t random_instance();

// The memory tier: shards chosen by key hash. Thread-safe.
class L1Cache {
 public:
  // Requires: options.validate().ok().
  L1Cache(const L1Options& options, const base::Clock& clock, metrics::GroupTable& groups);
  ~L1Cache();
  L1Cache(const L1Cache&) = delete;
  L1Cache& operator=(const L1Cache&) = delete;

  // Pinned entry, or empty. Counts a hit; a miss is counted by whoever asks the next tier.
  [[nodiscard]] EntryRef find(std::string_view key) {
    if (in_doubt()) [[unlikely]] {
      return {};
    }
    if (log_ != nullptr) [[unlikely]] {
      return find_recorded(key, Trust::kVerified);
    }
    const Probe probe{.key = key, .hash = hash_of(key)};
    return shard_of(probe.hash).find(probe, now());
  }
  // out[i] for keys[i]. Requires: out.size() == keys.size(), out all empty.
  void find_many(std::span<const std::string_view> keys, std::span<EntryRef> out);
  // The same for what is unverified as well. All that they find is counted as stale.
  [[nodiscard]] EntryRef find_unverified(std::string_view key) {
    if (log_ != nullptr) return find_recorded(key, Trust::kAny);
    const Probe probe{.key = key, .hash = hash_of(key)};
    return shard_of(probe.hash).find_unverified(probe, now());
  }
  void find_many_unverified(std::span<const std::string_view> keys, std::span<EntryRef> out);
  // As find(), but neither counted nor noted as an access.
  [[nodiscard]] EntryRef peek(std::string_view key);
  // As peek(), also an entry that is unverified or expired less than the grace ago.
  [[nodiscard]] EntryRef peek_stale(std::string_view key);

  // Has all look-ups recorded from now on. `log`, of as many shards as there are, outlives it.
  // Requires: no other call is under way.
  void record_in(AccessLog& log) noexcept { log_ = &log; }
  // Records a look-up that was answered elsewhere, where look-ups are recorded. `access` has
  // neither time nor key yet.
  void record(std::string_view key, Access access);

  // Copies the value in, in place of an older one. False when the shard declines it, for its size
  // or for want of room beside pinned entries: then nothing is left under the key.
  // `made`: of a value with tags. `longest`: to that the lifetime grows with the use of the key,
  // where that is counted.
  bool insert(std::string_view key, const base::ValueView& value, base::Nanos lifetime,
              const base::Moment& made = {}, base::Nanos longest = kFixed);
  // As insert(); the stored entry, or empty.
  [[nodiscard]] EntryRef insert_pinned(std::string_view key, const base::ValueView& value,
                                       base::Nanos lifetime, const base::Moment& made = {},
                                       base::Nanos longest = kFixed);
  // The same for another identity than that of a value made now; also empty when the gate was
  // closed: then nothing was stored, though others may have been evicted.
  [[nodiscard]] EntryRef insert_pinned(std::string_view key, const base::ValueView& value,
                                       const Identity& identity, const Gate& gate);
  // What an entry inserted now would bear whose value was made `age` ago.
  [[nodiscard]] Identity identity_of(std::string_view key, base::Nanos lifetime, base::Nanos age,
                                     const base::Moment& made = {}, base::Nanos longest = kFixed);
  bool erase(std::string_view key);
  bool touch(std::string_view key, base::Nanos lifetime, base::Nanos longest = kFixed);
  // Reads of the key within about a day, here and as counted by count_read(); 0 where that is not
  // kept.
  [[nodiscard]] std::uint32_t reads_of(std::string_view key) const;
  // A read that was answered elsewhere.
  void count_read(std::string_view key) noexcept {
    if (usage_ != nullptr) usage_->add(key, 1);
  }
  void clear();
  // Drops all entries whose key the glob pattern takes; adds their keys to `erased`. Throws
  // std::bad_alloc.
  void erase_matching(std::string_view pattern, std::vector<std::string>& erased);
  // Where a walk through the keys is; none: at its end.
  struct Place {
    std::size_t shard = 0;
    std::size_t at = 0;
  };
  // Adds the keys of some entries that begin with `prefix` and that a look-up would find; where to
  // go on. Keys of entries that leave and come again meanwhile may be missed, or met twice. Throws
  // std::bad_alloc.
  [[nodiscard]] std::optional<Place> live_keys(Place place, Trust trust, std::string_view prefix,
                                               std::vector<std::string>& keys) const;
  // The keys of at most `most` entries, those with the most hits, hottest first; none without any.
  // Entries that come or go meanwhile may be missed. Throws std::bad_alloc.
  [[nodiscard]] std::vector<HotKey> hot_keys(std::size_t most) const;
  // By which entries with tags are judged.
  [[nodiscard]] TagMarks& tags() noexcept { return tags_; }

  // Entries are verified while whoever fills the cache would hear of a change of their values.
  // Unverified ones are misses for all calls but those that say otherwise; their time runs on.
  //
  // Makes all entries unverified, and those to come, until trust(). At once, whatever their number.
  void distrust() noexcept;
  // Ends that: entries that come from now on are verified. Takes a while where there are many;
  // those that come meanwhile may be left unverified.
  void trust();
  // True from distrust() to trust(): no entry is verified.
  [[nodiscard]] bool in_doubt() const noexcept {
    return doubt_.load(std::memory_order_relaxed) != 0;
  }
  // Drops an unverified entry where the gate is open.
  void drop_unverified(std::string_view key, const Gate& gate);
  // Entries here and to come live no longer than that from now on.
  void limit_lifetimes(base::Nanos longest);

  // Sums over the shards.
  [[nodiscard]] ShardStats stats() const;
  [[nodiscard]] std::size_t limit_bytes() const noexcept { return options_.bytes; }
  [[nodiscard]] const std::string& policy_name() const noexcept { return options_.policy; }
  [[nodiscard]] std::size_t shard_count() const noexcept { return shards_.size(); }

  [[nodiscard]] std::int64_t now() const noexcept { return clock_.steady().count(); }

  // Of the policy learned; nothing of another one.
  [[nodiscard]] std::optional<LearningStats> learning() const;
  // What is known of the key; none where nothing is. While nothing is learned, that it is held.
  [[nodiscard]] std::optional<policy::Judgement> judge(std::string_view key) const;
  // P(the key is read within the hour); none where that is unknown.
  [[nodiscard]] std::optional<double> predict(std::string_view key) const;
  // Has an expert lead; empty: the best. False where none of that name takes part everywhere, or
  // nothing is learned; then nothing is pinned.
  bool pin(std::string_view expert);
  // Null where nothing is learned.
  [[nodiscard]] learning::Tutor* tutor() const noexcept { return tutor_.get(); }
  // Ends the learning. Idempotent.
  void close() noexcept;

  // Throws std::bad_alloc.
  [[nodiscard]] Tour hottest_first();
  // The entry there, pinned, verified or not, neither counted nor noted; empty where it has ended.
  [[nodiscard]] Pinned pin(const Placed& placed);
  // Takes over an entry that was kept elsewhere where there is room: nothing is evicted for it.
  // Hottest first; once a shard has no room for one that it could hold, it takes none after. Throws
  // std::bad_alloc.
  Restored restore(std::string_view key, const base::ValueView& value, const Kept& kept,
                   const Gate* gate, Restoration& restoration);
  [[nodiscard]] bool is_full(const Restoration& restoration) const noexcept;
  // Tells who learns of what was taken over. Throws std::bad_alloc.
  void finish(Restoration& restoration);
  // Whose invalidations base::Moment::here counts: another one in each cache and process.
  [[nodiscard]] std::uint64_t instance() const noexcept { return instance_; }

  // Keep other threads out of all shards, and of what learns; for a fork.
  void lock_all() noexcept;
  void unlock_all() noexcept;
  // Between the two, in the child.
  void on_child() noexcept;

 private:
  // now(), or a time at which no entry is verified.
  [[nodiscard]] std::int64_t look_up_time() const noexcept {
    return now() | doubt_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t hash_of(std::string_view key) const noexcept {
    return base::hash64(key, seed_);
  }
  // By other bits than the index of a shard uses.
  [[nodiscard]] static std::size_t shard_index(std::uint64_t hash, std::size_t mask) noexcept {
    return (hash >> 40) & mask;
  }
  [[nodiscard]] Shard& shard_of(std::uint64_t hash) const noexcept {
    return *shards_[shard_index(hash, shards_.size() - 1)];
  }

  // A key's shard, and by what its steward knows the key.
  struct Entrance {
    Shard& shard;
    std::uint64_t key_hash;
    policy::EntryId id;
  };
  // When it has read all that happened.
  [[nodiscard]] Entrance caught_up(std::string_view key) const;
  [[nodiscard]] EntryRef find_recorded(std::string_view key, Trust trust);
  void find_many(std::span<const std::string_view> keys, std::int64_t time, Trust trust,
                 std::span<EntryRef> out);
  void find_many_in(std::size_t shard, std::span<const Probe> probes, std::int64_t time,
                    Trust trust, std::span<EntryRef> out);
  Entry* insert(std::string_view key, const base::ValueView& value, const Identity& identity,
                const Gate* gate, std::uint32_t pins);

  const L1Options options_;
  const base::Clock& clock_;
  metrics::GroupTable& groups_;
  const std::uint64_t seed_;
  std::uint64_t instance_ = random_instance();
  std::unique_ptr<learning::Tutor> tutor_;
  const std::unique_ptr<Usage> usage_;          // null: the use of keys is not counted
  AccessLog* log_ = nullptr;                    // null: look-ups are not recorded
  std::vector<std::unique_ptr<Shard>> shards_;  // a power of two

  // Own synchronization.
  TagMarks tags_;
  std::atomic<std::int64_t> doubt_{0};  // 0, or kTrustNothing
  std::atomic<bool> doubted_{false};    // some entries may be unverified
};

}  // namespace vcache::l1
