#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cache/counters.hpp"
#include "cache/vector_rows.hpp"
#include "l1/access/access.hpp"
#include "l1/entry.hpp"
#include "l2/l2.hpp"
#include "metrics/group_table.hpp"

namespace vcache::cache {

// Copies vectors that L2 answers with straight into rows, for a cache without memory tier. Used by
// one thread.
class RowSink final : public l2::FetchSink {
 public:
  // All `count` rows are empty at first. `tags` outlives it.
  RowSink(const VectorRows& rows, std::size_t count, const l1::TagMarks& tags);

  void on_value(std::size_t index, const l2::StoredValue& stored) noexcept override;
  void on_absent(std::size_t index, l2::Outcome outcome) noexcept override;

  // True when a value was there that is not of the rows' type and width.
  [[nodiscard]] bool met_mismatch() const noexcept { return tally_.mismatch > 0; }
  // Counts all answers. `keys` are those that were fetched.
  void count(std::span<const std::string_view> keys, metrics::GroupTable& groups,
             Counters& counters) const;
  // What the answer for a key is in an access log.
  [[nodiscard]] l1::Access access(std::string_view key, metrics::GroupId group,
                                  std::size_t index) const noexcept;

 private:
  const VectorRows rows_;
  const l1::TagMarks& tags_;
  const std::uint64_t began_;     // in steps of invalidations of tags
  std::vector<l1::Costs> saved_;  // by the rows that were found
  Tally tally_;                   // but for hits, misses and what they saved
};

}  // namespace vcache::cache
