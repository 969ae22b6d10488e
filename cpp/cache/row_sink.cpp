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

}  // namespace vcache::cache
