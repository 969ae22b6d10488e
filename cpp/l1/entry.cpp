#include "l1/entry.hpp"

#include <new>

namespace vcache::l1 {

namespace {

base::Shape one_dimension(const Entry& entry) noexcept {
  const auto size = base::item_size(entry.dtype);
  base::Shape shape{.ndim = 1};
  shape.dims[0] = static_cast<std::uint32_t>(entry.payload_bytes / size);
  return shape;
}

}  // namespace

std::uint8_t Entry::extras_of(const base::ValueView& value) noexcept {
  const bool costs = value.cost > 0 || value.seconds > 0;
  return static_cast<std::uint8_t>((costs ? kHasCosts : 0) |
                                   (value.metadata.empty() ? 0 : kHasMetadata));
}

std::size_t Entry::bytes_for(std::string_view key, const base::ValueView& value) noexcept {
  Entry sizes{};
  sizes.key_bytes = static_cast<std::uint16_t>(key.size());
  sizes.ndim = value.shape.ndim;
  sizes.extras = extras_of(value) & kHasCosts;
  std::size_t head = sizes.head_bytes();
  if (!value.metadata.empty()) {
    head = sizes.metadata_offset() + sizeof(std::uint32_t) + value.metadata.size();
  }
  return payload_after(head) + value.payload.size();
}

Entry* Entry::create(void* memory, store::Arena& arena, std::string_view key,
                     const base::ValueView& value, std::uint32_t views) noexcept {
  auto* entry = new (memory) Entry{};
  entry->arena = &arena;
  entry->balance.store(kHeld, std::memory_order_relaxed);
  entry->pins = views;
  entry->payload_bytes = static_cast<std::uint32_t>(value.payload.size());
  entry->key_bytes = static_cast<std::uint16_t>(key.size());
  entry->kind = value.kind;
  entry->dtype = value.dtype;
  entry->ndim = value.shape.ndim;
  entry->extras = extras_of(value);
  const auto put = [entry](std::size_t at, const void* data, std::size_t size) {
    std::memcpy(reinterpret_cast<std::byte*>(entry) + at, data, size);
  };
  put(kKeyOffset, key.data(), key.size());
  if (value.shape.ndim >= 2) {
    put(entry->shape_offset(), value.shape.dims.data(), std::size_t{4} * value.shape.ndim);
  }
  if ((entry->extras & kHasCosts) != 0) {
    const Costs costs{.cost = value.cost, .seconds = value.seconds};
    put(entry->costs_offset(), &costs, sizeof costs);
  }
  if ((entry->extras & kHasMetadata) != 0) {
    const auto size = static_cast<std::uint32_t>(value.metadata.size());
    put(entry->metadata_offset(), &size, sizeof size);
    put(entry->metadata_offset() + sizeof size, value.metadata.data(), size);
  }
  return entry;
}

base::ByteView Entry::metadata() const noexcept {
  if ((extras & kHasMetadata) == 0) return {};
  const std::size_t at = metadata_offset();
  return {data() + at + sizeof(std::uint32_t), read<std::uint32_t>(at)};
}

base::Shape Entry::shape() const noexcept {
  if (ndim == 1) return one_dimension(*this);
  base::Shape shape{.ndim = ndim};
  if (ndim >= 2) std::memcpy(shape.dims.data(), data() + shape_offset(), std::size_t{4} * ndim);
  return shape;
}

base::ValueView Entry::view() const noexcept {
  const Costs worth = costs();
  return {.kind = kind,
          .dtype = dtype,
          .shape = shape(),
          .payload = payload(),
          .metadata = metadata(),
          .cost = worth.cost,
          .seconds = worth.seconds};
}

void EntryRef::free(Entry* entry) noexcept {
  store::Arena* arena = entry->arena;
  arena->pinned_bytes.fetch_sub(entry->block_bytes(), std::memory_order_relaxed);
  arena->defer_free(entry);
  arena->release();
}

}  // namespace vcache::l1
