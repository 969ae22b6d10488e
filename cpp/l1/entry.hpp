#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/tags.hpp"
#include "base/value.hpp"
#include "l1/store/arena.hpp"
#include "l1/tag_marks.hpp"
#include "metrics/group_table.hpp"

namespace vcache::l1 {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// What a miss of an entry costs.
struct Costs {
  float cost = 0;     // in the caller's unit
  float seconds = 0;  // measured

  [[nodiscard]] bool any() const noexcept { return cost > 0 || seconds > 0; }
};

// Of an entry in a cache that keeps count of the use of keys.
struct Use {
  // Steady nanoseconds: no longer may the entry stay, however often it is read; kFixed: it ends
  // when it was made to.
  std::int64_t latest = kFixed;
  std::uint32_t before = 0;   // reads of the key, before the entry came
  std::uint32_t counted = 0;  // of its hits: those that are among `before`

  static constexpr std::int64_t kFixed = std::numeric_limits<std::int64_t>::min();
};

// When an entry was made and ends, and whom it is counted for.
struct Identity {
  std::int64_t created = 0;       // steady nanoseconds
  std::int64_t expires = kNever;  // steady nanoseconds
  metrics::GroupId group = 0;
  base::Moment made = {};  // of an entry with tags
  bool is_from_redis = false;
  std::optional<Use> use = {};
};

// One cached value and its bookkeeping, in one block of an arena:
//   Entry | key | shape (2 to 4 dimensions only) | costs | use | metadata | tags | padding to 16 |
//   payload
// where costs, use, metadata and tags, each at a multiple of 4, are there only when they say
// something. Of tags there is the moment the value was made and, of each, the mark. Everything but
// the counts, the use and `expires` is constant once the entry is published.
//
// Ownership: the index holds the entry, and so does each view; the last one out frees the block.
// Views are taken under the shard's lock and given back without it, so the two are counted apart:
// `pins` is plain and settled now and then, `balance` is what the index and the counted pins are
// worth, less the views given back. It is 0 only once the index has let go, which adds the pins
// that are left.
struct Entry {
  store::Arena* arena;
  std::int64_t created;  // steady nanoseconds
  // Steady nanoseconds; kNever: no expiry. Negative in an unverified entry, which ends when the
  // negation says.
  std::atomic<std::int64_t> expires;
  std::atomic<std::uint32_t> balance;
  // Look-ups that it answered, and earlier entries under its key that it replaced: at least
  // kMostHits where that is reached. Guarded by the shard's lock, as the pins.
  std::uint32_t hits;
  std::uint32_t payload_bytes;
  std::uint16_t key_bytes;
  metrics::GroupId group;
  std::uint8_t pins;
  base::DType dtype;  // kNone: an object
  std::uint8_t ndim;
  std::uint8_t extras;  // kHasCosts, kHasMetadata, kHasTags, kHasUse; kFromRedis

  // So many hits are told of at most.
  static constexpr std::uint32_t kMostHits = 4'000'000'000;

  [[nodiscard]] static std::size_t bytes_for(std::string_view key, const base::ValueView& value,
                                             bool has_use = false) noexcept;
  // Lays out everything but the payload and the identity; `memory` is of bytes_for() bytes. Held
  // by the index and by `views` views, fewer than kMostPins.
  static Entry* create(void* memory, store::Arena& arena, std::string_view key,
                       const base::ValueView& value, std::uint32_t views,
                       bool has_use = false) noexcept;

  void identify(const Identity& identity) noexcept {
    created = identity.created;
    expires.store(identity.expires, std::memory_order_relaxed);
    group = identity.group;
    if (identity.is_from_redis) extras |= kFromRedis;
    if (has_tags()) write(tags_offset(), identity.made);
    if (identity.use && has_use()) write(use_offset(), *identity.use);
  }
  [[nodiscard]] bool has_tags() const noexcept { return (extras & kHasTags) != 0; }
  [[nodiscard]] bool is_from_redis() const noexcept { return (extras & kFromRedis) != 0; }
  [[nodiscard]] bool has_use() const noexcept { return (extras & kHasUse) != 0; }
  // Requires: has_use(), as the next.
  [[nodiscard]] Use use() const noexcept { return read<Use>(use_offset()); }
  // It may stay until then; Use::kFixed: until it ends. Requires: the shard's lock, as the next.
  void allow_until(std::int64_t latest) noexcept { write(use_offset(), latest); }
  // Takes the place of an older entry, whose hits were counted.
  void succeed(const Entry& older) noexcept {
    hits = older.hits;
    if (has_use()) write(use_offset() + offsetof(Use, counted), hits);
  }
  // Hits that are not among the reads of its key yet. Requires: has_use(), as the next.
  [[nodiscard]] std::uint32_t uncounted() const noexcept { return hits - use().counted; }
  // Of the key, as far as is known.
  [[nodiscard]] std::uint32_t reads() const noexcept { return use().before + uncounted(); }
  // Whether one of its tags was invalidated since it was made.
  [[nodiscard]] bool is_ended_by(const TagMarks& marks) const noexcept;
  // When it ends, verified or not.
  [[nodiscard]] std::int64_t ends() const noexcept {
    return std::abs(expires.load(std::memory_order_relaxed));
  }
  // True also of an unverified entry.
  [[nodiscard]] bool is_expired(std::int64_t now) const noexcept {
    return expires.load(std::memory_order_relaxed) <= now;
  }
  // Makes it unverified. Requires: the shard's lock.
  void distrust() noexcept { expires.store(-ends(), std::memory_order_relaxed); }
  [[nodiscard]] bool is_verified() const noexcept {
    return expires.load(std::memory_order_relaxed) >= 0;
  }
  // Makes it end then, verified or not. Requires: the shard's lock.
  void end_at(std::int64_t end) noexcept {
    expires.store(is_verified() ? end : -end, std::memory_order_relaxed);
  }
  // Makes it end no later than that. Requires: the shard's lock.
  void end_by(std::int64_t latest) noexcept { end_at(std::min(ends(), latest)); }
  [[nodiscard]] std::string_view key() const noexcept {
    return {reinterpret_cast<const char*>(this) + kKeyOffset, key_bytes};
  }
  // key() == other, a word at a time: a call of memcmp would take longer than the comparison.
  [[nodiscard]] bool has_key(std::string_view other) const noexcept {
    return key_bytes == other.size() && same_bytes(data() + kKeyOffset, other.data(), key_bytes);
  }
  [[nodiscard]] base::ValueKind kind() const noexcept {
    return dtype == base::DType::kNone ? base::ValueKind::kObject : base::ValueKind::kVector;
  }
  [[nodiscard]] base::ByteView metadata() const noexcept;
  [[nodiscard]] Costs costs() const noexcept {
    return (extras & kHasCosts) == 0 ? Costs{} : read<Costs>(costs_offset());
  }
  [[nodiscard]] base::ByteView payload() const noexcept {
    return {data() + payload_offset(), payload_bytes};
  }
  // Copies the payload in. Requires: not published; payload.size() == payload_bytes.
  void fill(base::ByteView payload) noexcept {
    std::memcpy(reinterpret_cast<std::byte*>(this) + payload_offset(), payload.data(),
                payload.size());
  }
  // Of its tags.
  [[nodiscard]] std::uint8_t mark_count() const noexcept {
    return has_tags() ? static_cast<std::uint8_t>(read<std::uint32_t>(count_offset())) : 0;
  }
  [[nodiscard]] TagMarks::Mark mark(std::size_t index) const noexcept {
    return read<TagMarks::Mark>(marks_offset() + index * sizeof(TagMarks::Mark));
  }
  [[nodiscard]] base::Moment made() const noexcept {
    return has_tags() ? read<base::Moment>(tags_offset()) : base::Moment{};
  }
  // In place of those of the tags it was created with. Requires: not published, no more of them.
  void put_marks(std::span<const TagMarks::Mark> marks) noexcept {
    for (std::size_t i = 0; i < marks.size(); ++i) write(marks_offset() + i * 2, marks[i]);
  }
  [[nodiscard]] base::Shape shape() const noexcept;
  [[nodiscard]] base::ValueView view() const noexcept;
  [[nodiscard]] std::size_t block_bytes() const noexcept {
    return store::Arena::block_bytes(payload_offset() + payload_bytes);
  }

  // One more view. Requires: the shard's lock.
  void pin() noexcept {
    if (++pins == kMostPins) settle();
  }
  // Whether a view is held. Requires: the shard's lock, under which only views can go.
  [[nodiscard]] bool viewed() const noexcept {
    return balance.load(std::memory_order_acquire) + pins != kHeld;
  }
  // The index lets go; true when no view is left. Requires: the shard's lock.
  [[nodiscard]] bool retire() noexcept {
    return balance.fetch_sub(kHeld - pins, std::memory_order_acq_rel) == kHeld - pins;
  }

 private:
  static constexpr std::size_t kKeyOffset = 44;  // right after the last member
  static constexpr std::uint8_t kHasCosts = 1;
  static constexpr std::uint8_t kHasMetadata = 2;
  static constexpr std::uint8_t kHasTags = 4;
  static constexpr std::uint8_t kHasUse = 8;
  static constexpr std::uint8_t kFromRedis = 16;    // takes no room
  static constexpr std::uint32_t kHeld = 1U << 30;  // what being held by the index is worth
  static constexpr std::uint8_t kMostPins = 255;

  [[nodiscard]] static std::uint8_t extras_of(const base::ValueView& value) noexcept;
  void write_marks(base::ByteView tags) noexcept;
  // At least each kMostPins hits.
  void settle() noexcept {
    balance.fetch_add(pins, std::memory_order_relaxed);
    pins = 0;
    hits = std::min(hits, kMostHits);
  }
  [[nodiscard]] const std::byte* data() const noexcept {
    return reinterpret_cast<const std::byte*>(this);
  }
  template <class T>
  [[nodiscard]] T read(std::size_t at) const noexcept {
    T value;
    std::memcpy(&value, data() + at, sizeof value);
    return value;
  }
  template <class T>
  void write(std::size_t at, const T& value) noexcept {
    std::memcpy(reinterpret_cast<std::byte*>(this) + at, &value, sizeof value);
  }
  [[nodiscard]] static std::uint64_t word_at(const void* data, std::size_t at) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(data) + at, sizeof word);
    return word;
  }
  [[nodiscard]] static bool same_bytes(const void* a, const void* b, std::size_t size) noexcept {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    if (size < kWord) return std::memcmp(a, b, size) == 0;
    std::uint64_t differ = word_at(a, size - kWord) ^ word_at(b, size - kWord);
    for (std::size_t at = 0; at + kWord <= size; at += kWord)
      differ |= word_at(a, at) ^ word_at(b, at);
    return differ == 0;
  }
  [[nodiscard]] static std::size_t aligned(std::size_t offset) noexcept {
    return (offset + 3) & ~std::size_t{3};
  }
  [[nodiscard]] std::size_t shape_offset() const noexcept {
    return aligned(kKeyOffset + key_bytes);
  }
  [[nodiscard]] std::size_t costs_offset() const noexcept {
    return shape_offset() + (ndim < 2 ? 0 : std::size_t{4} * ndim);
  }
  [[nodiscard]] std::size_t use_offset() const noexcept {
    return costs_offset() + ((extras & kHasCosts) == 0 ? 0 : sizeof(Costs));
  }
  [[nodiscard]] std::size_t metadata_offset() const noexcept {
    return use_offset() + (has_use() ? sizeof(Use) : 0);
  }
  [[nodiscard]] std::size_t metadata_end() const noexcept {
    const std::size_t metadata = metadata_offset();
    if ((extras & kHasMetadata) == 0) return metadata;
    return metadata + sizeof(std::uint32_t) + read<std::uint32_t>(metadata);
  }
  [[nodiscard]] std::size_t tags_offset() const noexcept { return aligned(metadata_end()); }
  [[nodiscard]] std::size_t count_offset() const noexcept {
    return tags_offset() + sizeof(base::Moment);
  }
  [[nodiscard]] std::size_t marks_offset() const noexcept {
    return count_offset() + sizeof(std::uint32_t);
  }
  [[nodiscard]] std::size_t head_bytes() const noexcept {
    if ((extras & ~kFromRedis) == 0 && ndim < 2) return kKeyOffset + key_bytes;
    if (!has_tags()) return metadata_end();
    return marks_offset() + mark_count() * sizeof(TagMarks::Mark);
  }
  // Blocks start 8 bytes past a multiple of 16, so that this is where a multiple of 16 lies.
  [[nodiscard]] static std::size_t payload_after(std::size_t head) noexcept {
    return ((head + 8 + 15) & ~std::size_t{15}) - 8;
  }
  [[nodiscard]] std::size_t payload_offset() const noexcept { return payload_after(head_bytes()); }
};
static_assert(sizeof(Entry) == 48);

// Fetches the lines of the header and the key, to be written to. May be null.
inline void prefetch_header(const Entry* entry) noexcept {
  const auto* line = reinterpret_cast<const char*>(entry);
  __builtin_prefetch(line, 1);
  __builtin_prefetch(line + 64);
  __builtin_prefetch(line + 104);
}

// Shared ownership of an entry. A view holds one; move-only.
class EntryRef {
 public:
  EntryRef() = default;
  // Takes over a view that the caller has counted; empty for nullptr.
  explicit EntryRef(Entry* counted) noexcept : entry_(counted) {}
  EntryRef(EntryRef&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryRef& operator=(EntryRef&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  EntryRef(const EntryRef&) = delete;
  EntryRef& operator=(const EntryRef&) = delete;
  ~EntryRef() {
    if (entry_ != nullptr) drop(entry_);
  }

  explicit operator bool() const noexcept { return entry_ != nullptr; }
  const Entry& operator*() const noexcept { return *entry_; }
  const Entry* operator->() const noexcept { return entry_; }
  // As the constructor. Requires: empty.
  void adopt(Entry* counted) noexcept { entry_ = counted; }
  // Hands the view to the caller, who gives it back with drop().
  [[nodiscard]] Entry* release() noexcept { return std::exchange(entry_, nullptr); }

  // Gives back one view, from any thread.
  static void drop(Entry* entry) noexcept {
    if (entry->balance.fetch_sub(1, std::memory_order_acq_rel) == 1) free(entry);
  }
  // Frees an entry whose last view went after the index had let go of it. Requires: nobody holds
  // it.
  static void free(Entry* entry) noexcept;

 private:
  Entry* entry_ = nullptr;
};

}  // namespace vcache::l1
