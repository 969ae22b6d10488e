#include "l2/codec/pieces.hpp"

#include <algorithm>
#include <utility>

namespace vcache::l2::codec {

namespace {

constexpr std::size_t kAlignment = 16;  // what operator new gives
constexpr std::size_t kChunk = std::size_t{64} << 10;

constexpr std::size_t aligned(std::size_t size) noexcept {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::span<std::byte> Pieces::take(std::size_t size) {
  if (chunks_.empty() || chunks_.back().size - end_ < size) {
    const std::size_t room = std::max(aligned(size), kChunk);
    // NOLINTNEXTLINE(*-avoid-c-arrays)
    chunks_.push_back({.bytes = std::make_unique_for_overwrite<std::byte[]>(room), .size = room});
    end_ = 0;
  }
  last_ = end_;
  end_ += aligned(size);
  return {chunks_.back().bytes.get() + last_, size};
}

void Pieces::shorten(std::size_t size) noexcept { end_ = last_ + aligned(size); }

void Pieces::clear() noexcept {
  if (chunks_.size() > 1) chunks_.erase(chunks_.begin(), chunks_.end() - 1);
  last_ = end_ = 0;
}

}  // namespace vcache::l2::codec
