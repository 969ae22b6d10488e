#include "l1/store/arena.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace vcache::l1::store {

namespace {

constexpr std::uint32_t kFree = 1U << 31;
constexpr std::uint32_t kLast = 1U << 30;  // the last block of its chunk
constexpr std::uint32_t kUnitsMask = kLast - 1;
constexpr std::uint32_t kMinUnits = 2;
constexpr int kTriesInClass = 4;
// Blocks over this share of a chunk get one of their own: the rest of a shared one wastes little.
constexpr std::size_t kLargeShare = 8;
constexpr std::size_t kAsideShare = 32;  // larger ones are not kept aside: they would add up

void poison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(memory, bytes);
#endif
}

void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}

}  // namespace

// Header of 8 bytes at a multiple of 16; `next` and `previous` exist in free blocks only.
struct Arena::Block {
  std::uint32_t units_and_flags;
  std::uint32_t previous_units;  // of the neighbour below; 0: the first block of its chunk
  Block* next;
  Block* previous;

  [[nodiscard]] std::uint32_t units() const noexcept { return units_and_flags & kUnitsMask; }
  [[nodiscard]] bool is_free() const noexcept { return (units_and_flags & kFree) != 0; }
  [[nodiscard]] bool is_last() const noexcept { return (units_and_flags & kLast) != 0; }
  [[nodiscard]] bool is_whole_chunk() const noexcept { return previous_units == 0 && is_last(); }
  [[nodiscard]] Block* at_offset(std::ptrdiff_t units_away) noexcept {
    return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) +
                                    units_away * (std::ptrdiff_t{1} << kUnitShift));
  }
  [[nodiscard]] Block* above() noexcept { return at_offset(units()); }
  [[nodiscard]] Block* below() noexcept {
    return at_offset(-static_cast<std::ptrdiff_t>(previous_units));
  }
  [[nodiscard]] void* body() noexcept { return reinterpret_cast<std::byte*>(this) + kHeader; }
  static Block* of(void* body) noexcept {
    return reinterpret_cast<Block*>(static_cast<std::byte*>(body) - kHeader);
  }
  // Poisons what a user of the block could touch and the allocator does not.
  void poison_body() noexcept {
    const std::size_t bytes = std::size_t{units()} << kUnitShift;
    if (bytes > sizeof(Block)) poison(this + 1, bytes - sizeof(Block));
  }
  void unpoison_body() noexcept {
    unpoison(body(), (std::size_t{units()} << kUnitShift) - kHeader);
  }

  static constexpr std::size_t kHeader = 8;
};

struct alignas(16) Arena::Chunk {
  Chunk* next;
  Chunk* previous;
  std::size_t bytes;
  bool shared;

  [[nodiscard]] Block* first() noexcept { return reinterpret_cast<Block*>(this + 1); }
  static Chunk* of(Block* first) noexcept { return reinterpret_cast<Chunk*>(first) - 1; }
};

std::size_t Arena::block_bytes(std::size_t bytes) noexcept {
  const std::size_t with_header = bytes + Block::kHeader;
  return std::max((with_header + 15) & ~std::size_t{15}, std::size_t{kMinUnits} << kUnitShift);
}

Arena::~Arena() {
  while (chunks_ != nullptr) {
    Chunk* next = chunks_->next;
    unpoison(chunks_, chunks_->bytes);
    std::free(chunks_);
    chunks_ = next;
  }
}

void Arena::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void* Arena::allocate(std::size_t bytes) noexcept {
  const std::size_t needed = block_bytes(bytes) >> kUnitShift;
  if (needed >= kUnitsMask) return nullptr;
  const auto units = static_cast<std::uint32_t>(needed);
  Block* block = take_aside(units);
  if (block == nullptr) block = carve(units);
  if (block == nullptr) return nullptr;
  block->unpoison_body();
  return block->body();
}

void Arena::free(void* memory) noexcept {
  Block* block = Block::of(memory);
  if (!put_aside(block)) free_block(block);
}

Arena::Block* Arena::take_aside(std::uint32_t units) noexcept {
  Aside& aside = aside_[units % kAsideSizes];
  if (aside.units != units || aside.head == nullptr) return nullptr;
  Block* block = aside.head;
  aside.head = block->next;
  --aside.count;
  return block;
}

// Stays marked as used, so that no neighbour merges with it.
bool Arena::put_aside(Block* block) noexcept {
  if ((std::size_t{block->units()} << kUnitShift) > chunk_bytes_ / kAsideShare) return false;
  Aside& aside = aside_[block->units() % kAsideSizes];
  if (aside.head == nullptr) aside.units = block->units();
  if (aside.units != block->units() || aside.count == kAsideBlocks) return false;
  block->next = aside.head;
  aside.head = block;
  ++aside.count;
  block->poison_body();
  return true;
}

void Arena::flush_aside() noexcept {
  for (Aside& aside : aside_) {
    while (aside.head != nullptr) {
      Block* block = aside.head;
      aside.head = block->next;
      free_block(block);
    }
    aside = Aside{};
  }
}

// A block of `units` cut from the smallest free one that fits.
Arena::Block* Arena::carve(std::uint32_t units) noexcept {
  Block* block = find_fit(units);
  if (block == nullptr && deferred_.load(std::memory_order_relaxed) != nullptr) {
    drain_deferred();
    block = find_fit(units);
  }
  if (block == nullptr) block = add_chunk(units);
  if (block == nullptr) {
    flush_aside();
    block = find_fit(units);
  }
  if (block == nullptr) block = add_chunk(units);
  if (block == nullptr) return nullptr;
  unlink(block);
  block->units_and_flags &= ~kFree;
  trim(block, units);
  return block;
}

void Arena::free_block(Block* block) noexcept {
  block = merge(block);
  block->units_and_flags |= kFree;
  link(block);
  block->poison_body();
  if (!block->is_whole_chunk()) return;
  if (spare_ == nullptr && Chunk::of(block)->shared) {
    spare_ = block;
  } else {
    remove_chunk(block);
  }
}

void Arena::defer_free(void* memory) noexcept {
  void* head = deferred_.load(std::memory_order_relaxed);
  do {
    *static_cast<void**>(memory) = head;
  } while (!deferred_.compare_exchange_weak(head, memory, std::memory_order_release,
                                            std::memory_order_relaxed));
}

void Arena::drain_deferred() noexcept {
  void* memory = deferred_.exchange(nullptr, std::memory_order_acquire);
  while (memory != nullptr) {
    void* next = *static_cast<void**>(memory);
    free(memory);
    memory = next;
  }
}

Arena::Bin Arena::bin_of(std::uint32_t units) noexcept {
  if (units < kSubclasses) return {.first = 0, .second = units};
  const unsigned log = static_cast<unsigned>(std::bit_width(units)) - 1;
  return {.first = log - kSubclassShift + 1,
          .second = (units >> (log - kSubclassShift)) & (kSubclasses - 1)};
}

Arena::Block* Arena::find_fit(std::uint32_t units) noexcept {
  const Bin bin = bin_of(units);
  Block* block = first_fit_in(bin, units);
  return block != nullptr ? block : head_of_larger(bin);
}

Arena::Block* Arena::first_fit_in(Bin bin, std::uint32_t units) const noexcept {
  Block* block = bins_[bin.first][bin.second];
  for (int tries = 0; block != nullptr && tries < kTriesInClass; ++tries, block = block->next) {
    if (block->units() >= units) return block;
  }
  return nullptr;
}

Arena::Block* Arena::head_of_larger(Bin bin) const noexcept {
  const std::uint64_t above = ~std::uint64_t{0} << (bin.second + 1);
  std::uint32_t second = second_map_[bin.first] & static_cast<std::uint32_t>(above);
  unsigned first = bin.first;
  if (second == 0) {
    const std::uint32_t larger =
        first_map_ & static_cast<std::uint32_t>(~std::uint64_t{0} << (first + 1));
    if (larger == 0) return nullptr;
    first = static_cast<unsigned>(std::countr_zero(larger));
    second = second_map_[first];
  }
  return bins_[first][static_cast<unsigned>(std::countr_zero(second))];
}

Arena::Block* Arena::add_chunk(std::uint32_t units) noexcept {
  const std::size_t needed = sizeof(Chunk) + (std::size_t{units} << kUnitShift);
  const bool shared = (std::size_t{units} << kUnitShift) <= chunk_bytes_ / kLargeShare;
  const std::size_t bytes = shared ? chunk_bytes_ : needed;
  if (spare_ != nullptr && (!shared || shared_bytes_ + bytes > limit_)) remove_chunk(spare_);
  if (shared && shared_bytes_ + bytes > limit_) return nullptr;
  void* memory = std::aligned_alloc(alignof(Chunk), bytes);
  if (memory == nullptr) return nullptr;
  auto* chunk =
      new (memory) Chunk{.next = chunks_, .previous = nullptr, .bytes = bytes, .shared = shared};
  if (chunks_ != nullptr) chunks_->previous = chunk;
  chunks_ = chunk;
  footprint_ += bytes;
  if (shared) shared_bytes_ += bytes;
  Block* block = chunk->first();
  block->units_and_flags =
      static_cast<std::uint32_t>((bytes - sizeof(Chunk)) >> kUnitShift) | kLast | kFree;
  block->previous_units = 0;
  link(block);
  return block;
}

void Arena::remove_chunk(Block* only) noexcept {
  unlink(only);
  Chunk* chunk = Chunk::of(only);
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
  (chunk->previous != nullptr ? chunk->previous->next : chunks_) = chunk->next;
  footprint_ -= chunk->bytes;
  if (chunk->shared) shared_bytes_ -= chunk->bytes;
  unpoison(chunk, chunk->bytes);
  std::free(chunk);
}

// Cuts `block` to `units` and gives the rest back, when the rest can be a block.
void Arena::trim(Block* block, std::uint32_t units) noexcept {
  const std::uint32_t rest = block->units() - units;
  if (rest < kMinUnits) return;
  const std::uint32_t last = block->units_and_flags & kLast;
  block->units_and_flags = units;
  Block* tail = block->above();
  unpoison(tail, sizeof(Block));
  tail->units_and_flags = rest | kFree | last;
  tail->previous_units = units;
  if (last == 0) tail->above()->previous_units = rest;
  link(tail);
}

// Joins a block that is about to be free with its free neighbours.
Arena::Block* Arena::merge(Block* block) noexcept {
  if (!block->is_last() && block->above()->is_free()) {
    Block* above = block->above();
    unlink(above);
    block->units_and_flags += above->units() | (above->units_and_flags & kLast);
  }
  if (block->previous_units != 0 && block->below()->is_free()) {
    Block* below = block->below();
    unlink(below);
    below->units_and_flags += block->units() | (block->units_and_flags & kLast);
    block = below;
  }
  if (!block->is_last()) block->above()->previous_units = block->units();
  return block;
}

void Arena::link(Block* block) noexcept {
  const Bin bin = bin_of(block->units());
  Block*& head = bins_[bin.first][bin.second];
  block->next = head;
  block->previous = nullptr;
  if (head != nullptr) head->previous = block;
  head = block;
  first_map_ |= 1U << bin.first;
  second_map_[bin.first] |= 1U << bin.second;
}

void Arena::unlink(Block* block) noexcept {
  if (block == spare_) spare_ = nullptr;
  const Bin bin = bin_of(block->units());
  if (block->next != nullptr) block->next->previous = block->previous;
  if (block->previous != nullptr) {
    block->previous->next = block->next;
    return;
  }
  bins_[bin.first][bin.second] = block->next;
  if (block->next != nullptr) return;
  second_map_[bin.first] &= ~(1U << bin.second);
  if (second_map_[bin.first] == 0) first_map_ &= ~(1U << bin.first);
}

}  // namespace vcache::l1::store
