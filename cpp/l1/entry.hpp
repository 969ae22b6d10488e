#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/value.hpp"
#include "l1/store/arena.hpp"
#include "metrics/group_table.hpp"

namespace vcache::l1 {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// One cached value and its bookkeeping, in one block of an arena:
//   Entry | key | shape (2 to 4 dimensions only) | metadata | padding to 16 | payload
// Everything but `references` and `expires` is constant once the entry is published. The index
// holds one reference and every view one; the last one out frees the block.
struct Entry {
  store::Arena* arena;
  std::atomic<std::uint32_t> references;
  std::uint32_t id;
  std::int64_t created;               // steady nanoseconds
  std::atomic<std::int64_t> expires;  // steady nanoseconds; kNever: no expiry
  std::uint32_t payload_bytes;
  std::uint32_t metadata_bytes;
  std::uint16_t key_bytes;
  metrics::GroupId group;
  base::ValueKind kind;
  base::DType dtype;
  std::uint8_t ndim;
  float cost;
  float seconds;

  [[nodiscard]] static std::size_t bytes_for(std::string_view key,
                                             const base::ValueView& value) noexcept;
  // Lays out everything but the payload and the identity; `memory` is of bytes_for() bytes.
  static Entry* create(void* memory, store::Arena& arena, std::string_view key,
                       const base::ValueView& value) noexcept;

  [[nodiscard]] std::string_view key() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), key_bytes};
  }
  [[nodiscard]] base::ByteView metadata() const noexcept {
    return {data() + metadata_offset(), metadata_bytes};
  }
  [[nodiscard]] base::ByteView payload() const noexcept {
    return {data() + payload_offset(), payload_bytes};
  }
  // Copies the payload in. Requires: not published; payload.size() == payload_bytes.
  void fill(base::ByteView payload) noexcept {
    std::memcpy(reinterpret_cast<std::byte*>(this) + payload_offset(), payload.data(),
                payload.size());
  }
  [[nodiscard]] base::Shape shape() const noexcept;
  [[nodiscard]] base::ValueView view() const noexcept;
  [[nodiscard]] std::size_t block_bytes() const noexcept {
    return store::Arena::block_bytes(payload_offset() + payload_bytes);
  }

 private:
  [[nodiscard]] const std::byte* data() const noexcept {
    return reinterpret_cast<const std::byte*>(this);
  }
  [[nodiscard]] std::size_t shape_offset() const noexcept {
    return sizeof(Entry) + ((std::size_t{key_bytes} + 3) & ~std::size_t{3});
  }
  [[nodiscard]] std::size_t metadata_offset() const noexcept {
    return ndim < 2 ? sizeof(Entry) + key_bytes : shape_offset() + std::size_t{4} * ndim;
  }
  // Blocks start 8 bytes past a multiple of 16, so that this is where a multiple of 16 lies.
  [[nodiscard]] std::size_t payload_offset() const noexcept {
    return ((metadata_offset() + metadata_bytes + 8 + 15) & ~std::size_t{15}) - 8;
  }
};
static_assert(sizeof(Entry) == 56);

// Shared ownership of an entry. A view holds one; move-only.
class EntryRef {
 public:
  EntryRef() = default;
  // Takes over a reference that the caller has counted; empty for nullptr.
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
  // Hands the reference to the caller, who gives it back with drop().
  [[nodiscard]] Entry* release() noexcept { return std::exchange(entry_, nullptr); }

  // Gives back one reference, from any thread.
  static void drop(Entry* entry) noexcept {
    if (entry->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free(entry);
  }

 private:
  static void free(Entry* entry) noexcept;

  Entry* entry_ = nullptr;
};

}  // namespace vcache::l1
