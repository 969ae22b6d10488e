#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cache/admission.hpp"
#include "cache/ttl_choice.hpp"
#include "l1/l1_cache.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// The writes of one call for L2: puts each value into memory when its turn to be sent comes.
// Checksum and socket read the copy there, which nobody else can write to. Of a value that the
// admission keeps out, memory drops the older copy.
class MemoryFirst final : public l2::WriteSource {
 public:
  // All arguments outlive it. Requires: values.size() == keys.size().
  // `made`: of the values with tags.
  MemoryFirst(l1::L1Cache& memory, const Admission& admission, const TtlChoice& ttls,
              const Lifetimes& lifetimes, const base::Moment& made,
              std::span<const std::string_view> keys, std::span<const base::ValueView> values);

  [[nodiscard]] std::size_t size() const noexcept override { return keys_.size(); }
  [[nodiscard]] const l2::Write& at(std::size_t index) override;
  // Puts in what L2 did not ask for.
  void finish();
  // How many values the admission kept out so far.
  [[nodiscard]] std::int64_t declined() const noexcept { return declined_; }

 private:
  void put_next();
  [[nodiscard]] l1::EntryRef put(std::size_t index, const Lifetimes& mine);

  l1::L1Cache& memory_;
  const Admission& admission_;
  const TtlChoice& ttls_;
  const Lifetimes& lifetimes_;
  const base::Moment made_;
  const std::span<const std::string_view> keys_;
  const std::span<const base::ValueView> values_;
  std::vector<l1::EntryRef> pinned_;
  std::vector<l2::Write> writes_;
  std::int64_t declined_ = 0;
};

}  // namespace vcache::cache
