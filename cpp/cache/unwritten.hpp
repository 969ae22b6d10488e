#pragma once

#include <string_view>

#include "cache/fill_guard.hpp"
#include "l1/shard.hpp"

namespace vcache::cache {

// Open while nobody has written to the key since its fetch began.
class Unwritten final : public l1::Gate {
 public:
  Unwritten(const FillGuard& fills, std::string_view key, const FillGuard::Token& token) noexcept
      : fills_(fills), key_(key), token_(token) {}
  [[nodiscard]] bool is_open() const noexcept override { return fills_.may_keep(key_, token_); }

 private:
  const FillGuard& fills_;
  const std::string_view key_;
  const FillGuard::Token& token_;
};

}  // namespace vcache::cache
