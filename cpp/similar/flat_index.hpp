#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fork.hpp"
#include "base/mutex.hpp"
#include "base/page_allocator.hpp"

namespace vcache::similar {

struct Neighbour {
  std::uint64_t id = 0;
  float similarity = 0;  // cosine, -1 to 1
};

// Vectors with their ids, as they leave an index: row i is at i * width.
struct Rows {
  std::vector<std::uint64_t> ids;
  std::vector<float> values;  // of length 1
};

// Vectors of one width, of which it finds the nearest ones to another by looking at all: exact, at
// the speed of memory. Over `max_bytes` the oldest leave.
//
// Rows lie in blocks, the oldest first, scaled to length 1. A block is written to its end and then
// left as it is; a row that was removed is marked and its block leaves with the last of its rows.
// So a search needs the lock only to take hold of the blocks, and scans them without it while
// others add and remove. Thread-safe. A forked child inherits what its parent has.
class FlatIndex final : private base::ForkParticipant {
 public:
  // Requires: width > 0.
  FlatIndex(std::size_t width, std::size_t max_bytes);
  ~FlatIndex() = default;
  FlatIndex(const FlatIndex&) = delete;
  FlatIndex& operator=(const FlatIndex&) = delete;

  // Its id, more than any before. Nothing for a vector without a direction: all zeros, or with a
  // number that is not finite. Requires: vector.size() == width(). Throws std::bad_alloc.
  [[nodiscard]] std::optional<std::uint64_t> add(std::span<const double> vector)
      VCACHE_EXCLUDES(mutex_);
  // Whether it was there.
  bool remove(std::uint64_t id) VCACHE_EXCLUDES(mutex_);
  // The nearest first, at most `most` that are at least so similar; of equals the older first.
  // Requires: query.size() == width(). Throws std::bad_alloc.
  [[nodiscard]] std::vector<Neighbour> nearest(std::span<const double> query, float at_least,
                                               std::size_t most) const VCACHE_EXCLUDES(mutex_);
  // The oldest block, which leaves. Throws std::bad_alloc.
  [[nodiscard]] Rows take_oldest() VCACHE_EXCLUDES(mutex_);

  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  [[nodiscard]] std::size_t size() const VCACHE_EXCLUDES(mutex_);
  // Ids below have left. What was added next to the vector that makes them leave has not.
  [[nodiscard]] std::uint64_t oldest() const VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t memory_bytes() const VCACHE_EXCLUDES(mutex_);

 private:
  struct Block {
    Block(std::uint64_t first_id, std::size_t row_count, std::size_t stride);

    const std::uint64_t first;  // the id of row 0; row i has the i-th one after it
    const std::size_t rows;
    std::size_t used = 0;  // as the next, guarded by the index' lock
    std::size_t live = 0;
    base::Table<float> values;
    std::vector<std::atomic<bool>> removed;
  };
  using Blocks = std::vector<std::shared_ptr<Block>>;

  // A block as a search sees it: rows added later are not looked at.
  struct Part {
    std::shared_ptr<const Block> block;
    std::size_t used;
  };

  void before_fork() noexcept override VCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork_in_parent() noexcept override VCACHE_RELEASE(mutex_) { mutex_.unlock(); }
  void after_fork_in_child() noexcept override VCACHE_RELEASE(mutex_) { mutex_.unlock(); }

  [[nodiscard]] std::vector<Part> parts() const VCACHE_EXCLUDES(mutex_);
  Block& block_with_room() VCACHE_REQUIRES(mutex_);
  void drop(Blocks::iterator place) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] std::size_t bytes_of(std::size_t rows) const noexcept;

  const std::size_t width_;
  const std::size_t stride_;  // numbers from row to row
  const std::size_t max_bytes_;

  mutable base::Mutex mutex_;
  Blocks blocks_ VCACHE_GUARDED_BY(mutex_);
  std::uint64_t next_id_ VCACHE_GUARDED_BY(mutex_) = 1;
  std::size_t size_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ VCACHE_GUARDED_BY(mutex_) = 0;

  const base::ForkRegistration registration_;  // last: see ForkRegistration
};

}  // namespace vcache::similar
