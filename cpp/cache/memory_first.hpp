#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "cache/lifetimes.hpp"
#include "l1/l1_cache.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// The writes of one call for L2: puts each value into memory when its turn to be sent comes.
// Checksum and socket read the copy there, which nobody else can write to.
class MemoryFirst final : public l2::WriteSource {
 public:
  // All arguments outlive it. Requires: values.size() == keys.size().
  MemoryFirst(l1::L1Cache& memory, Jitter& jitter, const Lifetimes& lifetimes,
              std::span<const std::string_view> keys, std::span<const base::ValueView> values);

  [[nodiscard]] std::size_t size() const noexcept override { return keys_.size(); }
  [[nodiscard]] const l2::Write& at(std::size_t index) override;
  // Puts in what L2 did not ask for.
  void finish();

 private:
  void put_next();

  l1::L1Cache& memory_;
  Jitter& jitter_;
  const Lifetimes& lifetimes_;
  const std::span<const std::string_view> keys_;
  const std::span<const base::ValueView> values_;
  std::vector<l1::EntryRef> pinned_;
  std::vector<l2::Write> writes_;
};

}  // namespace vcache::cache
