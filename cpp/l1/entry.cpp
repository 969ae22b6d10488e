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

std::size_t Entry::bytes_for(std::string_view key, const base::ValueView& value) noexcept {
  Entry sizes{};
  sizes.key_bytes = static_cast<std::uint16_t>(key.size());
  sizes.ndim = value.shape.ndim;
  sizes.metadata_bytes = static_cast<std::uint32_t>(value.metadata.size());
  return sizes.payload_offset() + value.payload.size();
}

Entry* Entry::create(void* memory, store::Arena& arena, std::string_view key,
                     const base::ValueView& value) noexcept {
  auto* entry = new (memory) Entry{};
  entry->arena = &arena;
  entry->references.store(1, std::memory_order_relaxed);
  entry->payload_bytes = static_cast<std::uint32_t>(value.payload.size());
  entry->metadata_bytes = static_cast<std::uint32_t>(value.metadata.size());
  entry->key_bytes = static_cast<std::uint16_t>(key.size());
  entry->kind = value.kind;
  entry->dtype = value.dtype;
  entry->ndim = value.shape.ndim;
  entry->cost = value.cost;
  entry->seconds = value.seconds;
  auto* base = reinterpret_cast<std::byte*>(entry);
  std::memcpy(base + sizeof(Entry), key.data(), key.size());
  if (value.shape.ndim >= 2) {
    std::memcpy(base + entry->shape_offset(), value.shape.dims.data(),
                std::size_t{4} * value.shape.ndim);
  }
  if (!value.metadata.empty()) {
    std::memcpy(base + entry->metadata_offset(), value.metadata.data(), value.metadata.size());
  }
  return entry;
}

base::Shape Entry::shape() const noexcept {
  if (ndim == 1) return one_dimension(*this);
  base::Shape shape{.ndim = ndim};
  if (ndim >= 2) std::memcpy(shape.dims.data(), data() + shape_offset(), std::size_t{4} * ndim);
  return shape;
}

base::ValueView Entry::view() const noexcept {
  return {.kind = kind,
          .dtype = dtype,
          .shape = shape(),
          .payload = payload(),
          .metadata = metadata(),
          .cost = cost,
          .seconds = seconds};
}

void EntryRef::free(Entry* entry) noexcept {
  store::Arena* arena = entry->arena;
  arena->pinned_bytes.fetch_sub(entry->block_bytes(), std::memory_order_relaxed);
  arena->defer_free(entry);
  arena->release();
}

}  // namespace vcache::l1
