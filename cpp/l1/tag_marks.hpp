#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/hash.hpp"
#include "base/page_allocator.hpp"
#include "base/tags.hpp"

namespace vcache::l1 {

// When tags were invalidated last, here and in the shared tier: one step for each tag, however many
// entries bear it, which end when they are looked up. All tags share 65,536 marks, so that an entry
// may end for a tag that it does not bear. Lock-free; thread-safe.
class TagMarks {
 public:
  // Which mark a tag has.
  using Mark = std::uint16_t;
  [[nodiscard]] static Mark mark_of(std::string_view tag) noexcept {
    return static_cast<Mark>(base::hash64(tag, 0) % kMarks);
  }

  // What is made from now on is not ended by the invalidations so far.
  [[nodiscard]] std::uint64_t now() const noexcept { return steps_.load(); }
  void invalidate(std::span<const std::string_view> tags) noexcept {
    const std::uint64_t step = steps_.fetch_add(1) + 1;
    for (const std::string_view tag : tags) here_.raise(mark_of(tag), step);
  }
  // What is older than the tag's stamp is over; all of it where there is none any more.
  void learn(const base::TagStamp& known) noexcept {
    if (known.stamp == 0) return invalidate({&known.tag, 1});
    shared_.raise(mark_of(known.tag), known.stamp);
  }
  [[nodiscard]] bool is_over(Mark mark, const base::Moment& made) const noexcept {
    return here_.at(mark) > made.here || shared_.at(mark) > made.shared;
  }
  // The same for tags as base::encode_tags() makes them.
  [[nodiscard]] bool is_over(base::ByteView tags, const base::Moment& made) const noexcept {
    while (!tags.empty()) {
      if (is_over(mark_of(base::take_tag(tags)), made)) return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kMarks = std::size_t{1} << 16;

  // Numbers that only grow, from 0. Pages that none of them was raised in occupy nothing.
  class Numbers {
   public:
    Numbers() : numbers_(Pages().allocate(kMarks)) {}
    ~Numbers() { Pages().deallocate(numbers_, kMarks); }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;

    [[nodiscard]] std::uint64_t at(Mark mark) const noexcept { return number(mark).load(); }
    void raise(Mark mark, std::uint64_t to) noexcept {
      std::uint64_t before = at(mark);
      while (before < to && !number(mark).compare_exchange_weak(before, to)) {
      }
    }

   private:
    using Pages = base::PageAllocator<std::uint64_t>;
    static_assert(kMarks * sizeof(std::uint64_t) >= Pages::kLarge, "only such memory is zeroed");
    [[nodiscard]] std::atomic_ref<std::uint64_t> number(Mark mark) const noexcept {
      return std::atomic_ref(numbers_[mark]);
    }
    std::uint64_t* const numbers_;
  };

  std::atomic<std::uint64_t> steps_{0};
  Numbers here_;
  Numbers shared_;
};

}  // namespace vcache::l1
