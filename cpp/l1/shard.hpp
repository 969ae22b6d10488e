#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "base/page_allocator.hpp"
#include "l1/access/recorder.hpp"
#include "l1/entry.hpp"
#include "l1/hottest.hpp"
#include "l1/index/key_index.hpp"
#include "l1/kept.hpp"
#include "l1/learning/steward.hpp"
#include "l1/policy/any_policy.hpp"
#include "l1/usage.hpp"

namespace vcache::l1 {

// A key, its hash under the cache's seed, and its place in the caller's batch.
struct Probe {
  std::string_view key;
  std::uint64_t hash = 0;
  std::uint32_t place = 0;
};

// Bounds of one shard.
struct ShardLimits {
  std::size_t bytes = 0;
  std::size_t entries = std::numeric_limits<std::size_t>::max();
  std::int64_t grace = 0;  // nanoseconds for which an expired entry is kept
};

// Asked under the shard's lock right before an entry becomes findable: whether it still may.
class Gate {
 public:
  Gate() = default;
  virtual ~Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  [[nodiscard]] virtual bool is_open() const noexcept = 0;
};

// Identity and lifetime of an entry about to be published.
struct Publication {
  std::uint64_t hash = 0;
  std::int64_t now = 0;  // steady nanoseconds
  Identity identity = {};
  const Gate* gate = nullptr;  // none: always open
};

// The time to look up at when no entry is to be trusted: all are unverified then.
inline constexpr std::int64_t kTrustNothing = kNever;

// Which entries a look-up takes, of those that have not ended.
enum class Trust : std::uint8_t { kVerified, kAny };

// What a shard counted since it was made, and what it holds now.
struct ShardStats {
  std::uint64_t hits = 0;
  std::uint64_t stale = 0;  // of the hits: taken though unverified
  std::uint64_t evictions = 0;
  std::uint64_t expired = 0;
  std::uint64_t declined = 0;    // larger than the shard, or no room beside pinned entries
  std::uint64_t unprepared = 0;  // of the evictions: without advice of the steward
  std::uint64_t dropped = 0;     // accesses that the steward was not told of
  double cost_saved = 0;
  double seconds_saved = 0;
  std::uint64_t entries = 0;
  std::size_t memory_bytes = 0;   // entries and bookkeeping
  std::size_t learned_bytes = 0;  // of these: what the steward knows
  std::size_t pinned_bytes = 0;
  std::vector<std::uint64_t> group_hits;  // by GroupId
};

// One lock's share of L1: record (Entry), index (KeyIndex) and policy over one arena.
// A hit notes the access in a buffer; the policy hears of accesses in batches, before any change.
// Thread-safe. No lock is held while a payload of more than a few KiB is copied.
class Shard {
 public:
  // `tags` and `usage` outlive it. With a steward, which chooses what is to leave, the policy is
  // Prepared. With `usage` all entries keep count of their use, and stay as it says.
  Shard(ShardLimits limits, policy::AnyPolicy policy, std::uint64_t seed, const TagMarks& tags,
        std::unique_ptr<learning::Steward> steward = nullptr, Usage* usage = nullptr);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The entry under the key, pinned; counts a hit and notes the access. Empty on a miss.
  [[nodiscard]] EntryRef find(const Probe& probe, std::int64_t now) VCACHE_EXCLUDES(mutex_);
  // As find(), also an unverified entry, and counts it as stale.
  [[nodiscard]] EntryRef find_unverified(const Probe& probe, std::int64_t now)
      VCACHE_EXCLUDES(mutex_);
  // One of the two for each probe, under one lock; out[probe.place] is written. Hits are recorded
  // where there is a recorder.
  void find_many(std::span<const Probe> probes, std::int64_t now, Trust trust,
                 std::span<EntryRef> out, const Recorder* recorder) VCACHE_EXCLUDES(mutex_);
  // As find() or find_unverified(), and records a hit.
  [[nodiscard]] EntryRef find(const Probe& probe, std::int64_t now, Trust trust,
                              const Recorder& recorder) VCACHE_EXCLUDES(mutex_);
  // Records, among the hits here, a look-up that was answered elsewhere.
  void record(std::string_view key, const Access& access, const Recorder& recorder)
      VCACHE_EXCLUDES(mutex_);
  // The entry under the key, pinned, without counting or noting.
  [[nodiscard]] EntryRef peek(const Probe& probe, std::int64_t now) VCACHE_EXCLUDES(mutex_);
  // As peek(), also an entry that is unverified or expired less than the grace ago.
  [[nodiscard]] EntryRef peek_stale(const Probe& probe, std::int64_t now) VCACHE_EXCLUDES(mutex_);

  // Makes room by evicting others, then copies the value in, in place of an older one under the
  // key. The entry comes with `pins` views of the caller's. nullptr when the gate was closed, which
  // changes nothing but what was evicted to make room, and when the shard declines the value,
  // which leaves nothing under the key.
  // Throws std::bad_alloc, having changed nothing but what was evicted.
  Entry* insert(std::string_view key, const base::ValueView& value, const Publication& publication,
                std::uint32_t pins) VCACHE_EXCLUDES(mutex_);

  // Drops the entry under the key when it is unverified and the gate is open.
  void drop_unverified(const Probe& probe, std::int64_t now, const Gate& gate)
      VCACHE_EXCLUDES(mutex_);
  // Go through the entries from a place on, a few under one lock, and return where to go on; 0 when
  // all were met. Entries that come meanwhile may be missed.
  [[nodiscard]] std::size_t distrust_some(std::size_t from) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t shorten_some(std::size_t from, std::int64_t now)
      VCACHE_EXCLUDES(mutex_);
  // Entries that come from now on end within that many nanoseconds, and so do those that
  // shorten_some() meets.
  void limit_lifetimes(std::int64_t longest) VCACHE_EXCLUDES(mutex_);

  // True when the key was there, verified and not expired. An unverified entry is changed too.
  bool erase(const Probe& probe, std::int64_t now) VCACHE_EXCLUDES(mutex_);
  // `latest`: as Use has it.
  bool touch(const Probe& probe, std::int64_t now, std::int64_t expires,
             std::int64_t latest = Use::kFixed) VCACHE_EXCLUDES(mutex_);
  // Hits of the key's entry that its usage does not know of yet; 0 without usage.
  [[nodiscard]] std::uint32_t uncounted(const Probe& probe) const VCACHE_EXCLUDES(mutex_);
  // Adds the keys of entries, a few under one lock. Goes on from a place as distrust_some(). Throws
  // std::bad_alloc.
  [[nodiscard]] std::size_t keys_some(std::size_t from, std::vector<std::string>& keys) const
      VCACHE_EXCLUDES(mutex_);
  // Adds the keys of entries that begin with `prefix` and that a look-up would find, in the same
  // way.
  [[nodiscard]] std::size_t live_keys_some(std::size_t from, std::int64_t now, Trust trust,
                                           std::string_view prefix,
                                           std::vector<std::string>& keys) const
      VCACHE_EXCLUDES(mutex_);
  // Offers the entries that have not ended, in the same way.
  [[nodiscard]] std::size_t hottest_some(std::size_t from, std::int64_t now, Hottest& hottest) const
      VCACHE_EXCLUDES(mutex_);
  void clear() VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] ShardStats stats() const VCACHE_EXCLUDES(mutex_);

  // Has the steward read what happened, and choose what is to leave for `bytes` more, where that is
  // wanted and nobody else has its turn.
  void prepare(std::size_t bytes) noexcept VCACHE_EXCLUDES(mutex_);
  // Has the steward read all that happened. Waits for its turn.
  void catch_up() noexcept VCACHE_EXCLUDES(mutex_);
  // The same, where much happened.
  void tend() noexcept VCACHE_EXCLUDES(mutex_);
  // May be null. To be locked before this is.
  [[nodiscard]] learning::Steward* steward() const noexcept { return steward_.get(); }
  // Who decides what leaves: an expert, or the policy while nothing is learned.
  [[nodiscard]] std::string_view leader(learning::Steward& steward) const VCACHE_REQUIRES(steward)
      VCACHE_EXCLUDES(mutex_);
  // That of the key's entry.
  [[nodiscard]] policy::EntryId id_of(const Probe& probe) const VCACHE_EXCLUDES(mutex_);

  // All entries, the first of them the last to leave if none were accessed again. Copies what the
  // policy knows under the lock. Throws std::bad_alloc.
  [[nodiscard]] std::vector<policy::Ranked> ranking() VCACHE_EXCLUDES(mutex_);
  // The entry of that id, pinned, verified or not, without counting or noting; empty where it has
  // ended.
  [[nodiscard]] Pinned pin(policy::EntryId id, std::int64_t now) VCACHE_EXCLUDES(mutex_);
  // What became of an entry, and its id if it was stored.
  struct Placement {
    Restored outcome = Restored::kVoid;
    policy::EntryId id = policy::kNoEntry;
    bool is_full = false;  // where there was no room: for others neither
  };
  // Takes over an entry, which leaves before those that were taken over before. Throws
  // std::bad_alloc, having stored nothing.
  Placement restore(std::string_view key, const base::ValueView& value,
                    const Publication& publication, const Kept& kept) VCACHE_EXCLUDES(mutex_);
  // Tells the policy of a use of each, in that order. Some may be gone.
  void use_again(std::span<const policy::EntryId> ids) VCACHE_EXCLUDES(mutex_);

  // Keeps other threads out; for a fork.
  void lock() VCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() VCACHE_RELEASE(mutex_) { mutex_.unlock(); }

 private:
  using EntryId = policy::EntryId;

  void prefetch(std::uint64_t hash) const VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Entry* reserve(std::string_view key, const base::ValueView& value,
                               std::uint64_t hash, std::uint32_t pins) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] void* allocate(std::size_t bytes) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Entry* publish(Entry* entry, const Publication& publication)
      VCACHE_REQUIRES(mutex_);
  void place(Entry* entry, std::uint64_t hash) VCACHE_REQUIRES(mutex_);
  void add(Entry* entry, std::uint64_t hash) VCACHE_REQUIRES(mutex_);
  // Whether a block is beyond the limits even where it is alone.
  [[nodiscard]] bool is_too_large(std::size_t block) const VCACHE_REQUIRES(mutex_) {
    return block + bookkeeping_bytes() > limits_.bytes;
  }
  // Whether another entry would be within them.
  [[nodiscard]] bool has_room(std::size_t block) const VCACHE_REQUIRES(mutex_) {
    return used_bytes_ + block + bookkeeping_bytes() <= limits_.bytes &&
           index_.size() < limits_.entries;
  }
  void make_room(std::size_t bytes, const Probe& probe) VCACHE_REQUIRES(mutex_);
  void drop(const Probe& probe) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] EntryId lookup(const Probe& probe) const VCACHE_REQUIRES(mutex_);
  [[nodiscard]] EntryId lookup_live(const Probe& probe, std::int64_t now) VCACHE_REQUIRES(mutex_);
  // Verified or not, what ends after that.
  [[nodiscard]] EntryId lookup_stale(const Probe& probe, std::int64_t end) const
      VCACHE_REQUIRES(mutex_);
  // The one of the two that finds what is trusted.
  [[nodiscard]] EntryId lookup(const Probe& probe, std::int64_t now, Trust trust)
      VCACHE_REQUIRES(mutex_);
  // Whether it is over for good, verified or not: its time and its grace, or by a tag.
  [[nodiscard]] bool is_over(const Entry& entry, std::int64_t now) const noexcept;
  [[nodiscard]] bool is_ended_by_tag(const Entry& entry) const noexcept {
    return entry.has_tags() && entry.is_ended_by(tags_);
  }
  void expire(EntryId id) VCACHE_REQUIRES(mutex_);
  template <class Change>
  [[nodiscard]] std::size_t change_some(std::size_t from, Change change) VCACHE_REQUIRES(mutex_);
  void shorten(Entry& entry, std::int64_t now) const noexcept VCACHE_REQUIRES(mutex_);
  void find_window(std::span<const Probe> probes, std::int64_t now, Trust trust,
                   std::span<EntryRef> out) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Entry* hit(EntryId id) noexcept VCACHE_REQUIRES(mutex_);
  void extend(Entry& entry) const noexcept VCACHE_REQUIRES(mutex_);
  void count_use(const Entry& entry) const noexcept VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Entry* hit(EntryId id, Trust trust) noexcept VCACHE_REQUIRES(mutex_);
  void drain_notes() noexcept VCACHE_REQUIRES(mutex_);
  [[nodiscard]] EntryId new_id(Entry* entry) VCACHE_REQUIRES(mutex_);
  void free_id(EntryId id) noexcept VCACHE_REQUIRES(mutex_);
  void replace(EntryId id, Entry* entry) VCACHE_REQUIRES(mutex_);
  void remove(EntryId id) noexcept VCACHE_REQUIRES(mutex_);
  void let_go(Entry* entry) noexcept VCACHE_REQUIRES(mutex_);
  std::size_t evict_one() VCACHE_REQUIRES(mutex_);
  void evict_to_limits() VCACHE_REQUIRES(mutex_);
  void sweep(std::int64_t now) VCACHE_REQUIRES(mutex_);
  void sweep_one(std::int64_t now) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] std::size_t bookkeeping_bytes() const VCACHE_REQUIRES(mutex_);
  // What a steward has to do in its turn.
  struct Turn {
    policy::NoteQueue* notes = nullptr;  // none: nothing
    learning::Demand demand = {};
    bool starts_again = false;
    std::vector<learning::Known> entries = {};
  };
  void prepare(learning::Steward& steward, std::size_t bytes) noexcept VCACHE_REQUIRES(steward)
      VCACHE_EXCLUDES(mutex_);
  void take_turn(learning::Steward& steward, std::size_t bytes) VCACHE_REQUIRES(steward)
      VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] bool is_wanted(std::size_t bytes) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] Turn begin_turn(learning::Steward& steward, std::size_t bytes)
      VCACHE_REQUIRES(steward) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] learning::Demand demand(std::size_t bytes) const VCACHE_REQUIRES(mutex_);
  void change_policy(learning::Steward& steward) VCACHE_REQUIRES(steward, mutex_);
  void begin_learning(learning::Steward& steward) VCACHE_REQUIRES(steward, mutex_);
  void end_learning(learning::Steward& steward, const policy::Prepared& prepared)
      VCACHE_REQUIRES(steward, mutex_);
  [[nodiscard]] policy::Prepared prepared() const;
  [[nodiscard]] std::vector<learning::Known> known() const VCACHE_REQUIRES(mutex_);
  [[nodiscard]] static policy::Candidate candidate_of(const Entry& entry,
                                                      std::uint64_t hash) noexcept {
    return {.key_hash = hash,
            .bytes = static_cast<std::uint32_t>(entry.block_bytes()),
            .cost = entry.costs().cost,
            .origin = policy::Origin(
                static_cast<std::uint8_t>(entry.group < policy::kGroups ? entry.group : 0),
                entry.is_from_redis())};
  }
  [[nodiscard]] std::optional<std::vector<policy::Ranked>> judged_ranking(
      learning::Steward& steward) VCACHE_REQUIRES(steward) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<policy::AnyPolicy> policy_copy() VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] bool outdates(const Publication& publication, const Probe& probe) const
      VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Entry* reserve_free(std::string_view key, const base::ValueView& value,
                                    std::size_t bytes) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] Placement settle(Entry* entry, const Publication& publication,
                                 const policy::Standing& standing) VCACHE_REQUIRES(mutex_);
  void set_arena_limit(std::size_t extra) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t hash_of(const Entry& entry) const noexcept;

  static constexpr std::size_t kNotes = 64;
  static constexpr std::size_t kWindow = 64;
  static constexpr std::size_t kSweep = 8;
  static constexpr std::size_t kReplayed = 16;        // uses told again under one lock
  static constexpr std::size_t kFragmentedShare = 4;  // what the arena may take more, of the limit
  static constexpr std::size_t kSlice = 64;           // entries changed under one lock
  // A second turn of the lock costs more than copying this much.
  static constexpr std::size_t kCopyUnderLock = std::size_t{8} << 10;

  // Constant after construction.
  const ShardLimits limits_;
  const std::uint64_t seed_;
  const std::size_t chunk_bytes_;
  const TagMarks& tags_;
  const std::unique_ptr<learning::Steward> steward_;  // its lock is taken before mutex_
  Usage* const usage_;                                // null: nobody counts

  // Guarded by mutex_.
  mutable base::SpinMutex mutex_;
  store::Arena* arena_ VCACHE_PT_GUARDED_BY(mutex_);  // shared with entries that outlive the shard
  index::KeyIndex index_ VCACHE_GUARDED_BY(mutex_);
  base::Table<Entry*> entries_ VCACHE_GUARDED_BY(mutex_);  // by id; nullptr: free
  base::Table<EntryId> free_ids_ VCACHE_GUARDED_BY(mutex_);
  policy::AnyPolicy policy_ VCACHE_GUARDED_BY(mutex_);
  std::array<EntryId, kNotes> notes_ VCACHE_GUARDED_BY(mutex_){};
  std::size_t note_count_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::size_t used_bytes_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::int64_t longest_ VCACHE_GUARDED_BY(mutex_) = kNever;  // of a lifetime
  std::size_t sweep_cursor_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::size_t unswept_ VCACHE_GUARDED_BY(mutex_) = 0;        // publications since the last sweep
  std::size_t steward_bytes_ VCACHE_GUARDED_BY(mutex_) = 0;  // what that occupied last
  ShardStats counters_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::l1
