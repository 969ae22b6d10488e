#pragma once

#include <span>

#include "l2/l2.hpp"

namespace vcache::testing {

// Writes that are all there already.
class SpanWrites final : public l2::WriteSource {
 public:
  explicit SpanWrites(std::span<const l2::Write> writes) noexcept : writes_(writes) {}
  [[nodiscard]] std::size_t size() const noexcept override { return writes_.size(); }
  [[nodiscard]] const l2::Write& at(std::size_t index) override { return writes_[index]; }

 private:
  std::span<const l2::Write> writes_;
};

}  // namespace vcache::testing
