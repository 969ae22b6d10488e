#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/snapshot/restore.hpp"
#include "l1/kept.hpp"

namespace vcache::cache::snapshot {

// An entry of a file that waits for Redis to confirm its key.
struct Asked {
  std::string key = {};
  l1::Kept kept = {};  // without marks
  std::vector<l1::TagMarks::Mark> marks = {};
  base::ValueView value = {};         // into `bytes`
  std::vector<std::byte> bytes = {};  // empty unless it is kept unconfirmed
};

// Fetches the values of some keys from Redis into memory, gated as those of any read, and counts
// what became of each.
class Confirmation final : public l2::FetchSink {
 public:
  Confirmation(TieredCache& cache, std::span<const Asked> asked, bool keeps_unconfirmed,
               l1::Restoration& restoration, Loaded& loaded);

  // Throws std::bad_alloc.
  void run();

  void on_value(std::size_t index, const l2::StoredValue& stored) noexcept override;
  void on_absent(std::size_t index, l2::Outcome outcome) noexcept override;

 private:
  enum class Answer : std::uint8_t { kNone, kStored, kNewer, kNoRoom, kGone };

  [[nodiscard]] l1::Restored store(std::size_t index, const l2::StoredValue& stored);
  void count(std::size_t index);

  TieredCache& cache_;
  const std::span<const Asked> asked_;
  const bool keeps_unconfirmed_;
  l1::Restoration& restoration_;
  Loaded& loaded_;
  const FillGuard::Token token_;
  const std::uint64_t began_;  // in steps of invalidations of tags
  std::vector<Answer> answers_;
  std::vector<std::uint64_t> sizes_;
};

}  // namespace vcache::cache::snapshot
