#include "cache/snapshot/restore.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "base/interruption.hpp"
#include "base/tags.hpp"
#include "cache/snapshot/confirm.hpp"
#include "cache/snapshot/reader.hpp"
#include "cache/snapshot/take_over.hpp"
#include "cache/unwritten.hpp"

namespace vcache::cache::snapshot {

namespace {

constexpr std::size_t kAtOnce = 256;                           // keys asked of Redis
constexpr std::size_t kBytesAtOnce = std::size_t{1} << 20;     // of values that wait for that
constexpr std::size_t kBetweenSignals = std::size_t{1} << 20;  // bytes

// As many tags as there are marks, whose own marks are then put in place of theirs.
base::ByteView placeholders(std::size_t count) {
  static const std::string all = [] {
    std::array<std::string_view, kMostMarks> tags;
    tags.fill("-");
    return base::encode_tags(tags);
  }();
  return std::as_bytes(std::span(all)).first(count * (all.size() / kMostMarks));
}

class Restorer {
 public:
  Restorer(TieredCache& cache, const base::Clock& clock, const std::string& path,
           std::shared_ptr<const l2::codec::Keyring> keys, bool keep_unconfirmed)
      : cache_(cache),
        now_(std::max<std::int64_t>(base::Nanos(clock.wall()).count(), 0)),
        began_(cache.memory().tags().now()),
        token_(cache.fills().begin_fill()),
        keeps_unconfirmed_(keep_unconfirmed),
        reader_(path, cache.options().name, std::move(keys)) {}

  Loaded run() {
    loaded_.failure = reader_.open(cache_.has_redis());
    if (loaded_.failure.any()) return loaded_;
    Record record;
    std::size_t since = 0;
    while (reader_.next(record)) {
      if (cache_.memory().is_full(restoration_)) {
        ++loaded_.no_room;
        break;
      }
      take(record);
      since += record.head.record_bytes();
      if (since < kBetweenSignals) continue;
      since = 0;
      loaded_.failure.interrupted = base::interrupted();
      if (loaded_.failure.interrupted) break;
    }
    if (!loaded_.failure.interrupted) ask();
    cache_.memory().finish(restoration_);
    loaded_.damage = reader_.damage();
    if (reader_.is_locked() && loaded_.entries == 0 && !loaded_.failure.any()) {
      loaded_.failure.refusal = loaded_.damage;
    }
    return loaded_;
  }

 private:
  void take(const Record& record) {
    l1::Kept kept = kept_of(record);
    if (!cache_.has_redis()) {
      if (kept.lifetime <= base::Nanos{0}) {
        ++loaded_.expired;
        return;
      }
      kept.marks = record.marks;
      const Unwritten gate(cache_.fills(), record.key, token_);
      return take_over(cache_,
                       {.key = record.key, .value = record.value, .kept = kept, .gate = &gate},
                       restoration_, loaded_);
    }
    asked_.push_back({.key = std::string(record.key), .kept = kept});
    if (keeps_unconfirmed_) keep(record, asked_.back());
    if (asked_.size() >= kAtOnce || waiting_bytes_ >= kBytesAtOnce) ask();
  }

  // A clock that was set back gives no entry more time than it had left.
  [[nodiscard]] l1::Kept kept_of(const Record& record) const {
    const RecordHead& head = record.head;
    const std::int64_t written = std::max<std::int64_t>(reader_.head().written, 0);
    const std::int64_t created = std::clamp<std::int64_t>(head.created, 0, now_);
    l1::Kept kept{.age = base::Nanos(now_ - created),
                  .made = {.here = began_, .shared = head.made_shared},
                  .standing = {.uses = head.uses, .weight = head.weight},
                  .hits = std::min(head.hits, l1::Entry::kMostHits)};
    if (head.ends != kNoEnd) {
      kept.lifetime = base::Nanos(std::min(head.ends - now_, head.ends - written));
    }
    if (reader_.head().instance == cache_.memory().instance()) kept.made.here = head.made_here;
    if (reader_.policy() == cache_.memory().policy_name()) kept.standing.segment = head.segment;
    return kept;
  }

  void keep(const Record& record, Asked& asked) {
    const auto add = [&asked](base::ByteView bytes) {
      const std::size_t start = asked.bytes.size();
      asked.bytes.insert(asked.bytes.end(), bytes.begin(), bytes.end());
      return start;
    };
    asked.bytes.reserve(record.value.payload.size() + record.value.metadata.size());
    asked.value = record.value;
    const std::size_t payload = add(record.value.payload);
    const std::size_t metadata = add(record.value.metadata);
    const base::ByteView bytes(asked.bytes);
    asked.value.payload = bytes.subspan(payload, record.value.payload.size());
    asked.value.metadata = bytes.subspan(metadata, record.value.metadata.size());
    asked.marks = record.marks;
    waiting_bytes_ += asked.bytes.size();
  }

  void ask() {
    if (asked_.empty()) return;
    Confirmation(cache_, asked_, keeps_unconfirmed_, restoration_, loaded_).run();
    asked_.clear();
    waiting_bytes_ = 0;
  }

  TieredCache& cache_;
  const std::int64_t now_;        // wall
  const std::uint64_t began_;     // in steps of invalidations of tags
  const FillGuard::Token token_;  // of the whole, where Redis is not asked
  const bool keeps_unconfirmed_;
  Reader reader_;
  l1::Restoration restoration_;
  std::vector<Asked> asked_;
  std::size_t waiting_bytes_ = 0;
  Loaded loaded_;
};

}  // namespace

void take_over(TieredCache& cache, const Arrival& arrival, l1::Restoration& restoration,
               Loaded& loaded) {
  base::ValueView value = arrival.value;
  value.tags = placeholders(arrival.kept.marks.size());
  switch (cache.memory().restore(arrival.key, value, arrival.kept, arrival.gate, restoration)) {
    case l1::Restored::kStored:
      ++loaded.entries;
      loaded.bytes += value.payload.size();
      return;
    case l1::Restored::kNewer:
      ++loaded.newer;
      return;
    case l1::Restored::kNoRoom:
      ++loaded.no_room;
      return;
    case l1::Restored::kVoid:
      ++loaded.gone;
  }
}

Loaded restore(TieredCache& cache, const base::Clock& clock, const std::string& path,
               std::shared_ptr<const l2::codec::Keyring> keys, bool keep_unconfirmed) {
  return Restorer(cache, clock, path, std::move(keys), keep_unconfirmed).run();
}

}  // namespace vcache::cache::snapshot
