#include "cache/snapshot/save.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "base/interruption.hpp"
#include "cache/snapshot/format.hpp"
#include "l2/codec/packer.hpp"

namespace vcache::cache::snapshot {

namespace {

// Written at once: what stays in the cache of a core until then.
constexpr std::size_t kChunk = std::size_t{256} << 10;

// Bytes to be written, which nothing is written to before they are filled in.
class Chunk {
 public:
  // `size` more of them. Throws std::bad_alloc.
  [[nodiscard]] std::span<std::byte> extend(std::size_t size) {
    if (size_ + size > room_) grow(size_ + size);
    const std::size_t start = size_;
    size_ += size;
    return {bytes_.get() + start, size};
  }
  void add(base::ByteView bytes) { std::ranges::copy(bytes, extend(bytes.size()).begin()); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] base::ByteView view() const noexcept { return {bytes_.get(), size_}; }
  // Gives back the room of a large value.
  void clear() noexcept {
    size_ = 0;
    if (room_ <= 4 * kChunk) return;
    bytes_.reset();
    room_ = 0;
  }

 private:
  void grow(std::size_t least) {
    const std::size_t room = std::max(least, 2 * kChunk);
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(room);  // NOLINT(*-avoid-c-arrays)
    std::copy_n(bytes_.get(), size_, bytes.get());
    bytes_ = std::move(bytes);
    room_ = room;
  }

  std::unique_ptr<std::byte[]> bytes_;  // NOLINT(*-avoid-c-arrays): not to be initialised
  std::size_t size_ = 0;
  std::size_t room_ = 0;
};

constexpr std::ptrdiff_t kPadding = 8;  // a record's head ends at a multiple of it

// Of one call: the clocks are read once, so that all times have the same distance.
struct Times {
  std::int64_t steady;
  std::int64_t wall;

  [[nodiscard]] std::int64_t to_wall(std::int64_t at) const noexcept {
    return at == l1::kNever ? kNoEnd : wall + (at - steady);
  }
};

base::Millis millis_of(std::int64_t nanos) noexcept {
  return std::chrono::duration_cast<base::Millis>(base::Nanos(std::max<std::int64_t>(nanos, 0)));
}

template <std::size_t kSize>
std::uint8_t put_text(std::array<char, kSize>& out, const std::string& text) {
  const std::size_t size = std::min(text.size(), kSize);
  std::copy_n(text.begin(), size, out.begin());
  return static_cast<std::uint8_t>(size);
}

class Writer {
 public:
  Writer(TieredCache& cache, const base::Clock& clock, const std::string& path,
         l2::codec::Packing packing)
      : cache_(cache),
        times_{.steady = clock.steady().count(), .wall = base::Nanos(clock.wall()).count()},
        packing_(std::move(packing)),
        packer_(packing_),
        file_(path) {}

  Saved run() {
    Saved saved;
    saved.failure.error_number = file_.open();
    if (saved.failure.any()) return saved;
    begin();
    l1::Tour tour = cache_.memory().hottest_first();
    for (auto placed = tour.next(); placed && !saved.failure.any(); placed = tour.next()) {
      const l1::Pinned pinned = cache_.memory().pin(*placed);
      if (!pinned.entry) {
        ++saved.gone;
        continue;
      }
      if (pinned.entry->key().empty()) continue;  // a probe of the tier's health
      add(pinned, placed->entry.standing, saved.entries++);
      if (chunk_.size() >= kChunk) flush(saved.failure);
    }
    if (saved.failure.any()) return saved;
    end(saved.entries);
    flush(saved.failure);
    if (saved.failure.any()) return saved;
    saved.failure.error_number = file_.commit();
    saved.bytes = file_.bytes();
    return saved;
  }

 private:
  void begin() {
    FileHead head{.nonce = l1::random_instance(),
                  .written = times_.wall,
                  .instance = cache_.memory().instance()};
    head.flags = (cache_.has_redis() ? flag::kShared : 0U) |
                 (packing_.keys != nullptr ? flag::kEncrypted : 0U);
    head.name_bytes = put_text(head.name, cache_.options().name);
    head.policy_bytes = put_text(head.policy, cache_.memory().policy_name());
    head.checksum = checksum_of(head);
    nonce_ = head.nonce;
    chunk_.add(std::as_bytes(std::span(&head, 1)));
  }

  void add(const l1::Pinned& pinned, const l1::policy::Standing& standing, std::uint64_t place) {
    const l1::Entry& entry = *pinned.entry;
    const base::ValueView value = entry.view();
    const auto packed = packer_.pack(value);
    const base::Moment made = entry.made();
    const RecordHead head{
        .value_bytes = static_cast<std::uint32_t>(packed.head_size + packed.rest.size()),
        .key_bytes = static_cast<std::uint16_t>(entry.key().size()),
        .marks = entry.mark_count(),
        .segment = standing.segment,
        .created = times_.to_wall(entry.created),
        .ends = times_.to_wall(entry.ends()),
        .made_here = made.here,
        .made_shared = made.shared,
        .uses = standing.uses,
        .weight = standing.weight,
        .hits = pinned.hits};
    const std::span<std::byte> record = chunk_.extend(head.record_bytes());
    const std::span<std::byte> behind = record.subspan(head.head_bytes());
    const l2::codec::Stamps stamps{
        .fingerprint = l2::codec::fingerprint(cache_.options().name, entry.key()),
        .created = millis_of(head.created),
        .expires = head.ends == kNoEnd ? base::Millis{0} : millis_of(head.ends)};
    packer_.finish(packed, value, stamps, behind.first(packed.head_size));
    std::memcpy(behind.data() + packed.head_size, packed.rest.data(), packed.rest.size());
    packer_.clear();
    put_head(head, entry, record.first(head.head_bytes()), place);
  }

  void put_head(RecordHead head, const l1::Entry& entry, std::span<std::byte> out,
                std::uint64_t place) const {
    std::fill(out.end() - kPadding, out.end(), std::byte{0});  // what follows may be less
    std::memcpy(out.data(), &head, sizeof head);
    std::byte* at = out.data() + sizeof head;
    std::memcpy(at, entry.key().data(), head.key_bytes);
    at += head.key_bytes;
    for (std::size_t i = 0; i < head.marks; ++i, at += sizeof(l1::TagMarks::Mark)) {
      const l1::TagMarks::Mark mark = entry.mark(i);
      std::memcpy(at, &mark, sizeof mark);
    }
    head.checksum = checksum_of(out, nonce_, place);
    std::memcpy(out.data(), &head.checksum, sizeof head.checksum);
  }

  void end(std::uint64_t entries) {
    RecordHead head{.created = static_cast<std::int64_t>(entries),
                    .ends = static_cast<std::int64_t>(file_.bytes() + chunk_.size())};
    const auto bytes = std::as_bytes(std::span(&head, 1));
    head.checksum = checksum_of(bytes, nonce_, entries);
    chunk_.add(bytes);
  }

  void flush(Failure& failure) {
    failure.error_number = file_.write(chunk_.view());
    failure.interrupted = base::interrupted();
    chunk_.clear();
  }

  TieredCache& cache_;
  const Times times_;
  const l2::codec::Packing packing_;
  l2::codec::Packer packer_;
  NewFile file_;
  Chunk chunk_;
  std::uint64_t nonce_ = 0;
};

}  // namespace

Saved save(TieredCache& cache, const base::Clock& clock, const std::string& path,
           std::shared_ptr<const l2::codec::Keyring> keys) {
  return Writer(cache, clock, path, {.keys = std::move(keys)}).run();
}

}  // namespace vcache::cache::snapshot
