#include "l2/cluster/replicas.hpp"

#include <algorithm>
#include <deque>
#include <exception>

#include "base/hash.hpp"
#include "l2/cluster/replication_query.hpp"
#include "l2/run_all.hpp"

namespace vcache::l2::cluster {

std::atomic<std::int64_t>& Replicas::written(std::string_view key) noexcept {
  return written_[base::hash64(key, 0) % kWritten];
}

void Replicas::on_write(std::string_view key) noexcept {
  written(key).store(now(), std::memory_order_relaxed);
}

Node* Replicas::reader(std::string_view key, const Node& primary) noexcept {
  const std::int64_t time = now();
  const std::int64_t own = written(key).load(std::memory_order_relaxed);
  if (own != 0 && time - own < kOwnFor.count()) return nullptr;
  const std::size_t count = count_.load(std::memory_order_acquire);
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[(first + i) % count];
    if (entry.primary.load(std::memory_order_relaxed) != &primary) continue;
    if (time < entry.good_until.load(std::memory_order_acquire)) return entry.replica.load();
  }
  return nullptr;
}

void Replicas::reset(std::span<const Pair> pairs) noexcept {
  const std::size_t count = std::min(pairs.size(), kMost);
  for (std::size_t i = 0; i < count; ++i) {
    Entry& entry = entries_[i];
    if (entry.primary == pairs[i].primary && entry.replica == pairs[i].replica) continue;
    entry.good_until = 0;
    entry.primary = pairs[i].primary;
    entry.replica = pairs[i].replica;
  }
  count_.store(count, std::memory_order_release);
}

void Replicas::check(client::Deadline deadline) noexcept {
  try {
    // The primaries first: what they had by then is what a replica is held to next time.
    const std::size_t count = count_.load(std::memory_order_acquire);
    std::deque<ReplicationQuery> queries;
    std::vector<Job> jobs;
    std::map<const Node*, std::size_t> primaries;
    const auto ask = [&](Node& node) {
      jobs.push_back({.node = node, .batch = queries.emplace_back(node.context())});
    };
    for (std::size_t i = 0; i < count; ++i) {
      Node& primary = *entries_[i].primary.load();
      if (primaries.emplace(&primary, jobs.size()).second) ask(primary);
    }
    const std::size_t first = jobs.size();
    for (std::size_t i = 0; i < count; ++i) ask(*entries_[i].replica.load());
    run_all(jobs, deadline);
    std::map<const Node*, std::int64_t> offsets;
    for (std::size_t i = 0; i < count; ++i) {
      Entry& entry = entries_[i];
      const Node* const primary = entry.primary.load();
      const ReplicationQuery& theirs = queries[primaries.at(primary)];
      const ReplicationQuery& own = queries[first + i];
      const auto before = offsets_.find(primary);
      const bool good = theirs.is_primary() && own.is_linked() &&
                        own.history() == theirs.history() && before != offsets_.end() &&
                        before->second >= 0 && own.offset() >= before->second;
      entry.good_until = good ? now() + kLookHolds.count() : 0;
      offsets[primary] = theirs.offset();
    }
    offsets_ = std::move(offsets);
  } catch (const std::exception&) {
    offsets_.clear();
  }
}

}  // namespace vcache::l2::cluster
