#include "similar/flat_index.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "similar/dot_rows.hpp"

namespace vcache::similar {

namespace {

constexpr std::size_t kFirstRows = 4;
constexpr std::size_t kMostRows = 64;  // of a block

using Unit = base::Table<float>;

// The vector scaled to length 1 and padded, whatever the size of its numbers; empty for one without
// a direction.
Unit unit(std::span<const double> vector) {
  double largest = 0;
  for (const double value : vector) {
    if (!std::isfinite(value)) return {};
    largest = std::max(largest, std::abs(value));
  }
  if (largest == 0) return {};
  double squares = 0;
  for (const double value : vector) squares += (value / largest) * (value / largest);
  const double length = std::sqrt(squares);
  Unit out(padded_width(vector.size()));
  std::ranges::transform(vector, out.begin(), [&](double value) {
    return static_cast<float>(value / largest / length);
  });
  return out;
}

// The nearest rows so far, the best first.
class Nearest {
 public:
  Nearest(float at_least, std::size_t most) : at_least_(at_least), most_(most) {}

  [[nodiscard]] bool takes(float similarity) const noexcept {
    if (found_.size() == most_) return most_ > 0 && similarity > found_.back().similarity;
    return similarity >= at_least_;
  }
  // Requires: takes(similarity).
  void add(std::uint64_t id, float similarity) {
    if (found_.size() == most_) found_.pop_back();
    const auto worse = [&](const Neighbour& each) { return each.similarity < similarity; };
    found_.insert(std::ranges::find_if(found_, worse), {.id = id, .similarity = similarity});
  }
  [[nodiscard]] std::vector<Neighbour> all() && { return std::move(found_); }

 private:
  float at_least_;
  std::size_t most_;
  std::vector<Neighbour> found_;
};

}  // namespace

FlatIndex::Block::Block(std::uint64_t first_id, std::size_t row_count, std::size_t stride)
    : first(first_id), rows(row_count), values(row_count * stride), removed(row_count) {}

FlatIndex::FlatIndex(std::size_t width, std::size_t max_bytes)
    : width_(width),
      stride_(padded_width(width)),
      max_bytes_(max_bytes),
      registration_(static_cast<base::ForkParticipant&>(*this)) {}

std::optional<std::uint64_t> FlatIndex::add(std::span<const double> vector) {
  const Unit row = unit(vector);
  if (row.empty()) return std::nullopt;
  const base::MutexLock lock(mutex_);
  Block& block = block_with_room();
  std::ranges::copy(row, block.values.begin() + static_cast<std::ptrdiff_t>(block.used * stride_));
  ++block.used;
  ++block.live;
  ++size_;
  return next_id_++;
}

// Blocks begin small, so that an index of few vectors is.
FlatIndex::Block& FlatIndex::block_with_room() {
  if (!blocks_.empty() && blocks_.back()->used < blocks_.back()->rows) return *blocks_.back();
  const std::size_t rows = std::clamp(size_, kFirstRows, kMostRows);
  blocks_.push_back(std::make_shared<Block>(next_id_, rows, stride_));
  bytes_ += bytes_of(rows);
  while (bytes_ > max_bytes_ && blocks_.size() > 1) drop(blocks_.begin());
  return *blocks_.back();
}

void FlatIndex::drop(Blocks::iterator place) {
  bytes_ -= bytes_of((*place)->rows);
  size_ -= (*place)->live;
  blocks_.erase(place);
}

bool FlatIndex::remove(std::uint64_t id) {
  const base::MutexLock lock(mutex_);
  auto place =
      std::ranges::upper_bound(blocks_, id, {}, [](const auto& each) { return each->first; });
  if (place == blocks_.begin()) return false;
  Block& block = **--place;
  const std::uint64_t row = id - block.first;
  if (row >= block.used || block.removed[row].exchange(true, std::memory_order_relaxed)) {
    return false;
  }
  --block.live;
  --size_;
  if (block.live == 0 && block.used == block.rows) drop(place);
  return true;
}

std::vector<FlatIndex::Part> FlatIndex::parts() const {
  const base::MutexLock lock(mutex_);
  std::vector<Part> out;
  out.reserve(blocks_.size());
  for (const auto& block : blocks_) out.push_back({.block = block, .used = block->used});
  return out;
}

std::vector<Neighbour> FlatIndex::nearest(std::span<const double> query, float at_least,
                                          std::size_t most) const {
  const Unit wanted = unit(query);
  if (wanted.empty()) return {};
  Nearest found(at_least, most);
  std::array<float, kMostRows> similarities{};
  for (const Part& part : parts()) {
    const Block& block = *part.block;
    dot_rows(block.values.data(), part.used, stride_, wanted.data(), similarities.data());
    for (std::size_t row = 0; row < part.used; ++row) {
      if (!found.takes(similarities[row])) continue;
      if (block.removed[row].load(std::memory_order_relaxed)) continue;
      found.add(block.first + row, similarities[row]);
    }
  }
  return std::move(found).all();
}

Rows FlatIndex::take_oldest() {
  Rows out;
  const base::MutexLock lock(mutex_);
  if (blocks_.empty()) return out;
  const Block& block = *blocks_.front();
  out.ids.reserve(block.live);
  out.values.reserve(block.live * width_);
  for (std::size_t row = 0; row < block.used; ++row) {
    if (block.removed[row].load(std::memory_order_relaxed)) continue;
    const float* values = block.values.data() + row * stride_;
    out.ids.push_back(block.first + row);
    out.values.insert(out.values.end(), values, values + width_);
  }
  drop(blocks_.begin());
  return out;
}

std::size_t FlatIndex::size() const {
  const base::MutexLock lock(mutex_);
  return size_;
}

std::uint64_t FlatIndex::oldest() const {
  const base::MutexLock lock(mutex_);
  return blocks_.empty() ? next_id_ : blocks_.front()->first;
}

std::size_t FlatIndex::memory_bytes() const {
  const base::MutexLock lock(mutex_);
  return bytes_ + sizeof(FlatIndex);
}

std::size_t FlatIndex::bytes_of(std::size_t rows) const noexcept {
  return sizeof(Block) + rows * (stride_ * sizeof(float) + sizeof(std::atomic<bool>));
}

}  // namespace vcache::similar
