#include "l1/l1_cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <random>
#include <stdexcept>
#include <utility>

#include "base/glob.hpp"

namespace vcache::l1 {

namespace {

constexpr std::size_t kMaxShards = 16;
constexpr std::size_t kMinShardBytes = std::size_t{8} << 20;
constexpr std::size_t kMinShardEntries = 4096;
constexpr std::size_t kShareOfExamples = 50;  // one in so many bytes
// Of fewer bytes the examples that a first model needs would take more than a sixteenth.
constexpr std::size_t kWorthTeaching = std::size_t{1} << 20;

// Of entries that are gone through in one call: about a thousand.
constexpr std::size_t kSlicesAtOnce = 16;

// Few enough that each shard is large: a policy sees its own shard only.
std::size_t shard_count_for(const L1Options& options) {
  std::size_t count = options.bytes / kMinShardBytes;
  if (options.entries != 0) count = std::min(count, options.entries / kMinShardEntries);
  return std::bit_floor(std::clamp<std::size_t>(count, 1, kMaxShards));
}

std::uint64_t seed_for(const L1Options& options) {
  if (options.seed != 0) return options.seed;
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

learning::TutorOptions tutor_of(const L1Options& options, std::size_t shards) {
  using predictor::Learner;
  learning::TutorOptions made = options.learning.tutor;
  const std::size_t fit = options.bytes / kShareOfExamples / sizeof(predictor::Example);
  made.examples = std::clamp(fit, Learner::kFirst, made.examples);
  made.stewards = shards;
  if (options.bytes < kWorthTeaching) made.make_trainer = nullptr;
  return made;
}

policy::AnyPolicy policy_of(const L1Options& options, std::uint64_t seed) {
  auto policy = policy::make_policy(options.policy, seed);
  if (!policy) throw std::invalid_argument(options.validate().detail);
  return std::move(*policy);
}

// The `index`-th of `count` near-equal parts of `whole`.
std::size_t part(std::size_t whole, std::size_t index, std::size_t count) {
  return whole / count + (index < whole % count ? 1 : 0);
}

// Past the end of time is never.
std::int64_t expiry(std::int64_t now, base::Nanos lifetime) {
  return lifetime.count() >= kNever - now ? kNever : now + lifetime.count();
}

std::int64_t latest(std::int64_t now, base::Nanos longest) {
  return longest == kFixed ? Use::kFixed : expiry(now, longest);
}

// Null unless the policy is learned.
std::unique_ptr<learning::Steward> steward_of(const L1Options& options, std::uint64_t seed,
                                              learning::Tutor* tutor) {
  if (tutor == nullptr) return nullptr;
  const LearningOptions& learning = options.learning;
  return std::make_unique<learning::Steward>(policy::LearnedOptions{.frozen = learning.model,
                                                                    .objective = learning.objective,
                                                                    .seed = seed,
                                                                    .pinned = learning.pinned},
                                             *tutor);
}

}  // namespace

base::Error L1Options::validate() const {
  const auto names = policy::policy_names();
  if (std::ranges::find(names, policy) != names.end()) return {};
  std::string allowed;
  for (const std::string_view name : names)
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  return {base::ErrorCode::kInvalid, "policy='" + policy + "': allowed are " + allowed};
}

L1Cache::L1Cache(const L1Options& options, const base::Clock& clock, metrics::GroupTable& groups)
    : options_(options),
      clock_(clock),
      groups_(groups),
      seed_(seed_for(options)),
      usage_(options.ttl_by_use ? std::make_unique<Usage>(*options.ttl_by_use, seed_, clock)
                                : nullptr) {
  const std::size_t count = shard_count_for(options);
  if (options.policy == policy::Prepared::kName) {
    tutor_ = std::make_unique<learning::Tutor>(tutor_of(options, count), clock, [this] {
      for (const auto& shard : shards_) shard->tend();
    });
  }
  for (std::size_t i = 0; i < count; ++i) {
    ShardLimits limits{.bytes = part(options.bytes, i, count), .grace = options.grace.count()};
    if (options.entries != 0) limits.entries = part(options.entries, i, count);
    shards_.push_back(std::make_unique<Shard>(limits, policy_of(options, seed_ + i), seed_, tags_,
                                              steward_of(options_, seed_ + i, tutor_.get()),
                                              usage_.get()));
  }
}

L1Cache::~L1Cache() { close(); }

void L1Cache::close() noexcept {
  if (tutor_ != nullptr) tutor_->stop();
}

void L1Cache::find_many(std::span<const std::string_view> keys, std::span<EntryRef> out) {
  if (!in_doubt()) find_many(keys, now(), Trust::kVerified, out);
}

void L1Cache::find_many_unverified(std::span<const std::string_view> keys,
                                   std::span<EntryRef> out) {
  find_many(keys, now(), Trust::kAny, out);
}

void L1Cache::find_many(std::span<const std::string_view> keys, std::int64_t time, Trust trust,
                        std::span<EntryRef> out) {
  thread_local std::vector<Probe> scratch;
  std::vector<Probe>& probes = scratch;
  probes.resize(2 * keys.size());
  const auto unsorted = std::span(probes).first(keys.size());
  const auto sorted = std::span(probes).last(keys.size());
  const std::size_t mask = shards_.size() - 1;
  std::array<std::size_t, kMaxShards + 1> starts{};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    unsorted[i] = {
        .key = keys[i], .hash = hash_of(keys[i]), .place = static_cast<std::uint32_t>(i)};
    ++starts[shard_index(unsorted[i].hash, mask) + 1];
  }
  for (std::size_t s = 0; s < shards_.size(); ++s) starts[s + 1] += starts[s];
  auto next = starts;
  for (const Probe& probe : unsorted) sorted[next[shard_index(probe.hash, mask)]++] = probe;
  for (std::size_t s = 0; s < shards_.size(); ++s) {
    const std::span<const Probe> mine = sorted.subspan(starts[s], starts[s + 1] - starts[s]);
    if (!mine.empty()) find_many_in(s, mine, time, trust, out);
  }
}

void L1Cache::find_many_in(std::size_t shard, std::span<const Probe> probes, std::int64_t time,
                           Trust trust, std::span<EntryRef> out) {
  if (log_ == nullptr) return shards_[shard]->find_many(probes, time, trust, out, nullptr);
  log_->begin();
  const Recorder recorder(*log_, shard);
  shards_[shard]->find_many(probes, time, trust, out, &recorder);
}

EntryRef L1Cache::find_recorded(std::string_view key, Trust trust) {
  log_->begin();
  const Probe probe{.key = key, .hash = hash_of(key)};
  const std::size_t shard = shard_index(probe.hash, shards_.size() - 1);
  return shards_[shard]->find(probe, now(), trust, Recorder(*log_, shard));
}

void L1Cache::record(std::string_view key, Access access) {
  if (log_ == nullptr) return;
  log_->begin();
  access.time = now();
  const std::size_t shard = shard_index(hash_of(key), shards_.size() - 1);
  shards_[shard]->record(key, access, Recorder(*log_, shard));
}

EntryRef L1Cache::peek(std::string_view key) {
  const Probe probe{.key = key, .hash = hash_of(key)};
  return shard_of(probe.hash).peek(probe, look_up_time());
}

EntryRef L1Cache::peek_stale(std::string_view key) {
  const Probe probe{.key = key, .hash = hash_of(key)};
  return shard_of(probe.hash).peek_stale(probe, now());
}

bool L1Cache::insert(std::string_view key, const base::ValueView& value, base::Nanos lifetime,
                     const base::Moment& made, base::Nanos longest) {
  const Identity identity = identity_of(key, lifetime, base::Nanos{0}, made, longest);
  return insert(key, value, identity, nullptr, 0) != nullptr;
}

EntryRef L1Cache::insert_pinned(std::string_view key, const base::ValueView& value,
                                base::Nanos lifetime, const base::Moment& made,
                                base::Nanos longest) {
  const Identity identity = identity_of(key, lifetime, base::Nanos{0}, made, longest);
  return EntryRef(insert(key, value, identity, nullptr, 1));
}

EntryRef L1Cache::insert_pinned(std::string_view key, const base::ValueView& value,
                                const Identity& identity, const Gate& gate) {
  return EntryRef(insert(key, value, identity, &gate, 1));
}

Identity L1Cache::identity_of(std::string_view key, base::Nanos lifetime, base::Nanos age,
                              const base::Moment& made, base::Nanos longest) {
  const std::int64_t time = now();
  Identity identity{.created = time - age.count(),
                    .expires = expiry(time, lifetime),
                    .group = groups_.id_of(key),
                    .made = made};
  if (usage_ != nullptr) {
    identity.use = Use{.latest = latest(time, longest), .before = reads_of(key)};
  }
  return identity;
}

std::uint32_t L1Cache::reads_of(std::string_view key) const {
  if (usage_ == nullptr) return 0;
  const Probe probe{.key = key, .hash = hash_of(key)};
  return usage_->count(key) + shard_of(probe.hash).uncounted(probe);
}

Entry* L1Cache::insert(std::string_view key, const base::ValueView& value, const Identity& identity,
                       const Gate* gate, std::uint32_t pins) {
  const std::uint64_t hash = hash_of(key);
  const Publication publication{.hash = hash, .now = now(), .identity = identity, .gate = gate};
  return shard_of(hash).insert(key, value, publication, pins);
}

bool L1Cache::erase(std::string_view key) {
  const Probe probe{.key = key, .hash = hash_of(key)};
  return shard_of(probe.hash).erase(probe, look_up_time());
}

bool L1Cache::touch(std::string_view key, base::Nanos lifetime, base::Nanos longest) {
  const std::int64_t time = now();
  const Probe probe{.key = key, .hash = hash_of(key)};
  return shard_of(probe.hash).touch(probe, time, expiry(time, lifetime), latest(time, longest));
}

void L1Cache::distrust() noexcept {
  doubted_.store(true, std::memory_order_relaxed);
  doubt_.store(kTrustNothing, std::memory_order_relaxed);
}

void L1Cache::trust() {
  if (doubt_.load(std::memory_order_relaxed) == 0) return;
  for (const auto& shard : shards_) {
    for (std::size_t at = shard->distrust_some(0); at != 0;) at = shard->distrust_some(at);
  }
  doubt_.store(0, std::memory_order_release);
}

void L1Cache::drop_unverified(std::string_view key, const Gate& gate) {
  if (!doubted_.load(std::memory_order_relaxed)) return;
  const Probe probe{.key = key, .hash = hash_of(key)};
  shard_of(probe.hash).drop_unverified(probe, look_up_time(), gate);
}

void L1Cache::limit_lifetimes(base::Nanos longest) {
  for (const auto& shard : shards_) {
    shard->limit_lifetimes(longest.count());
    for (std::size_t at = shard->shorten_some(0, now()); at != 0;) {
      at = shard->shorten_some(at, now());
    }
  }
}

void L1Cache::clear() {
  for (const auto& shard : shards_) shard->clear();
}

// Matching takes too long to be done under a lock.
void L1Cache::erase_matching(std::string_view pattern, std::vector<std::string>& erased) {
  std::vector<std::string> keys;
  for (const auto& shard : shards_) {
    std::size_t at = 0;
    do {
      keys.clear();
      at = shard->keys_some(at, keys);
      for (std::string& key : keys) {
        if (base::matches_glob(pattern, key) && erase(key)) erased.push_back(std::move(key));
      }
    } while (at != 0);
  }
}

std::optional<L1Cache::Place> L1Cache::live_keys(Place place, Trust trust, std::string_view prefix,
                                                 std::vector<std::string>& keys) const {
  for (std::size_t i = 0; i < kSlicesAtOnce; ++i) {
    if (place.shard >= shards_.size()) return std::nullopt;
    place.at = shards_[place.shard]->live_keys_some(place.at, now(), trust, prefix, keys);
    if (place.at == 0) ++place.shard;
  }
  return place;
}

std::vector<HotKey> L1Cache::hot_keys(std::size_t most) const {
  Hottest hottest(most);
  for (const auto& shard : shards_) {
    std::size_t at = 0;
    do {
      at = shard->hottest_some(at, now(), hottest);
    } while (at != 0);
  }
  return std::move(hottest).take();
}

void L1Cache::lock_all() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  if (tutor_ != nullptr) {
    tutor_->begin_fork();
    for (const auto& shard : shards_) shard->steward()->lock();
    tutor_->lock();
  }
  for (const auto& shard : shards_) shard->lock();
}

void L1Cache::unlock_all() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& shard : shards_) shard->unlock();
  if (tutor_ == nullptr) return;
  tutor_->unlock();
  for (const auto& shard : shards_) shard->steward()->unlock();
  tutor_->end_fork();
}

void L1Cache::on_child() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  instance_ = ~instance_ + static_cast<std::uint64_t>(getpid());
  if (tutor_ != nullptr) tutor_->on_child();
}

ShardStats L1Cache::stats() const {
  ShardStats sum;
  for (const auto& shard : shards_) {
    const ShardStats stats = shard->stats();
    sum.hits += stats.hits;
    sum.stale += stats.stale;
    sum.evictions += stats.evictions;
    sum.expired += stats.expired;
    sum.declined += stats.declined;
    sum.unprepared += stats.unprepared;
    sum.dropped += stats.dropped;
    sum.learned_bytes += stats.learned_bytes;
    sum.cost_saved += stats.cost_saved;
    sum.seconds_saved += stats.seconds_saved;
    sum.entries += stats.entries;
    sum.memory_bytes += stats.memory_bytes;
    sum.pinned_bytes += stats.pinned_bytes;
    if (sum.group_hits.size() < stats.group_hits.size())
      sum.group_hits.resize(stats.group_hits.size());
    for (std::size_t g = 0; g < stats.group_hits.size(); ++g)
      sum.group_hits[g] += stats.group_hits[g];
  }
  return sum;
}

}  // namespace vcache::l1
