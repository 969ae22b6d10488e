#include "cache/row_sink.hpp"

#include <algorithm>

namespace vcache::cache {

RowSink::RowSink(const VectorRows& rows, std::size_t count, const l1::TagMarks& tags)
    : rows_(rows), tags_(tags), began_(tags.now()), saved_(count) {
  for (std::size_t i = 0; i < count; ++i) rows_.found[i] = false;
}

void RowSink::on_value(std::size_t index, const l2::StoredValue& stored) noexcept {
  const base::Moment made{.here = std::min(stored.made.here, began_), .shared = stored.made.shared};
  if (stored.stale || tags_.is_over(stored.value.tags, made)) {
    return on_absent(index, l2::Outcome::kExpired);
  }
  const base::ValueView& value = stored.value;
  if (!fits(value, rows_)) {
    tally_.mismatch += 1;
    return clear_row(rows_, index);
  }
  copy_row(value.payload, rows_, index);
  saved_[index] = {.cost = value.cost, .seconds = value.seconds};
}

void RowSink::on_absent(std::size_t index, l2::Outcome outcome) noexcept {
  clear_row(rows_, index);
  tally_.expired += outcome == l2::Outcome::kExpired ? 1 : 0;
  tally_ += failure_of(outcome);
}

void RowSink::count(std::span<const std::string_view> keys, metrics::GroupTable& groups,
                    Counters& counters) const {
  counters.add(tally_);
  GroupRuns runs(counters);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool found = rows_.found[i];
    runs.add(groups.id_of(keys[i]),
             {.redis_hits = found ? 1 : 0,
              .misses = found ? 0 : 1,
              .cost_saved = found ? static_cast<double>(saved_[i].cost) : 0,
              .seconds_saved = found ? static_cast<double>(saved_[i].seconds) : 0});
  }
}

// The size is what an entry of the row would take in memory.
l1::Access RowSink::access(std::string_view key, metrics::GroupId group,
                           std::size_t index) const noexcept {
  if (!rows_.found[index]) return {.group = group};
  const l1::Costs saved = saved_[index];
  const base::ValueView value{.kind = base::ValueKind::kVector,
                              .dtype = rows_.dtype,
                              .shape = {.ndim = 1},
                              .payload = {rows_.data, row_bytes(rows_)},
                              .cost = saved.cost,
                              .seconds = saved.seconds};
  const std::size_t bytes = l1::store::Arena::block_bytes(l1::Entry::bytes_for(key, value));
  return {.size = static_cast<std::uint32_t>(bytes),
          .cost = saved.cost,
          .group = group,
          .tier = l1::AnsweredBy::kRedis};
}

}  // namespace vcache::cache
