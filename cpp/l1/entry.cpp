#include "l1/entry.hpp"

#include <new>

namespace vcache::l1 {

namespace {

std::size_t count_tags(base::ByteView tags) noexcept {
  std::size_t count = 0;
  for (; !tags.empty(); ++count) (void)base::take_tag(tags);
  return count;
}

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
                                   (value.metadata.empty() ? 0 : kHasMetadata) |
                                   (value.tags.empty() ? 0 : kHasTags));
}

std::size_t Entry::bytes_for(std::string_view key, const base::ValueView& value,
                             bool has_use) noexcept {
  Entry sizes{};
  sizes.key_bytes = static_cast<std::uint16_t>(key.size());
  sizes.ndim = value.shape.ndim;
  sizes.extras =
      static_cast<std::uint8_t>((extras_of(value) & kHasCosts) | (has_use ? kHasUse : 0));
  std::size_t head = sizes.head_bytes();
  if (!value.metadata.empty()) {
    head = sizes.metadata_offset() + sizeof(std::uint32_t) + value.metadata.size();
  }
  if (!value.tags.empty()) {
    head = aligned(head) + sizeof(base::Moment) + sizeof(std::uint32_t) +
           count_tags(value.tags) * sizeof(TagMarks::Mark);
  }
  return payload_after(head) + value.payload.size();
}

Entry* Entry::create(void* memory, store::Arena& arena, std::string_view key,
                     const base::ValueView& value, std::uint32_t views, bool has_use) noexcept {
  auto* entry = new (memory) Entry{};
  entry->arena = &arena;
  entry->balance.store(kHeld, std::memory_order_relaxed);
  entry->pins = static_cast<std::uint8_t>(views);
  entry->payload_bytes = static_cast<std::uint32_t>(value.payload.size());
  entry->key_bytes = static_cast<std::uint16_t>(key.size());
  entry->dtype = value.dtype;
  entry->ndim = value.shape.ndim;
  entry->extras = static_cast<std::uint8_t>(extras_of(value) | (has_use ? kHasUse : 0));
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
  if (has_use) entry->write(entry->use_offset(), Use{});
  if ((entry->extras & kHasMetadata) != 0) {
    const auto size = static_cast<std::uint32_t>(value.metadata.size());
    put(entry->metadata_offset(), &size, sizeof size);
    put(entry->metadata_offset() + sizeof size, value.metadata.data(), size);
  }
  if (entry->has_tags()) entry->write_marks(value.tags);
  return entry;
}

void Entry::write_marks(base::ByteView tags) noexcept {
  write(tags_offset() + sizeof(base::Moment), static_cast<std::uint32_t>(count_tags(tags)));
  for (std::size_t at = marks_offset(); !tags.empty(); at += sizeof(TagMarks::Mark)) {
    write(at, TagMarks::mark_of(base::take_tag(tags)));
  }
}

bool Entry::is_ended_by(const TagMarks& marks) const noexcept {
  const auto made = read<base::Moment>(tags_offset());
  const std::size_t end = head_bytes();
  for (std::size_t at = marks_offset(); at < end; at += sizeof(TagMarks::Mark)) {
    if (marks.is_over(read<TagMarks::Mark>(at), made)) return true;
  }
  return false;
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
  return {.kind = kind(),
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
