#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vcache::l1::store {

// Owns the bytes of one shard's entries: a two-level segregated-fit allocator (Masmano et al.,
// "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004) over chunks.
// Neighbouring free blocks are merged, so entries of mixed sizes neither calcify the memory nor
// make it outgrow its limit, and entries of one size fit their freed places exactly.
// Differs from the paper: the list of the exact class is tried before the next larger one, and a
// few freed blocks of the sizes last freed are kept aside whole, so that a cache of equal entries
// replaces them without touching their neighbours.
//
// Threads: the owner serializes all calls but defer_free(), retain() and release().
class Arena {
 public:
  // Bytes of a block that holds `bytes`: its header and rounding included.
  [[nodiscard]] static std::size_t block_bytes(std::size_t bytes) noexcept;

  // Created with one reference; release() of the last one frees the arena and all its memory.
  explicit Arena(std::size_t chunk_bytes) noexcept : chunk_bytes_(chunk_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Chunks are added while those that blocks share stay within `bytes`. A block of over an eighth
  // of a chunk has one of its own, whose only cost is its size: whoever counts sizes bounds those.
  void set_limit(std::size_t bytes) noexcept { limit_ = bytes; }

  // Memory for `bytes`, its address 8 more than a multiple of 16; nullptr when it does not fit.
  [[nodiscard]] void* allocate(std::size_t bytes) noexcept;
  void free(void* memory) noexcept;
  // From any thread, without the owner's lock: the block is freed by a later allocate().
  void defer_free(void* memory) noexcept;
  // Frees what was deferred.
  void drain_deferred() noexcept;

  // Bytes of all chunks.
  [[nodiscard]] std::size_t footprint() const noexcept { return footprint_; }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

  // Bytes of entries that left the cache while a view still holds them.
  std::atomic<std::size_t> pinned_bytes{0};

 private:
  struct Block;
  struct Chunk;

  static constexpr unsigned kUnitShift = 4;      // blocks are multiples of 16 bytes
  static constexpr unsigned kSubclassShift = 4;  // 16 size classes per power of two
  static constexpr unsigned kSubclasses = 1U << kSubclassShift;
  static constexpr unsigned kClasses = 32;

  // Blocks of one size kept aside.
  struct Aside {
    std::uint32_t units = 0;
    std::uint32_t count = 0;
    Block* head = nullptr;
  };
  static constexpr std::size_t kAsideSizes = 8;
  static constexpr std::uint32_t kAsideBlocks = 16;

  struct Bin {
    unsigned first;
    unsigned second;
  };

  ~Arena();

  static Bin bin_of(std::uint32_t units) noexcept;
  [[nodiscard]] Block* take_aside(std::uint32_t units) noexcept;
  [[nodiscard]] bool put_aside(Block* block) noexcept;
  void flush_aside() noexcept;
  [[nodiscard]] Block* carve(std::uint32_t units) noexcept;
  void free_block(Block* block) noexcept;
  [[nodiscard]] Block* find_fit(std::uint32_t units) noexcept;
  [[nodiscard]] Block* first_fit_in(Bin bin, std::uint32_t units) const noexcept;
  [[nodiscard]] Block* head_of_larger(Bin bin) const noexcept;
  [[nodiscard]] Block* add_chunk(std::uint32_t units) noexcept;
  void remove_chunk(Block* only) noexcept;
  void trim(Block* block, std::uint32_t units) noexcept;
  void link(Block* block) noexcept;
  void unlink(Block* block) noexcept;
  Block* merge(Block* block) noexcept;

  const std::size_t chunk_bytes_;
  std::size_t limit_ = 0;
  std::size_t footprint_ = 0;
  std::size_t shared_bytes_ = 0;  // of chunks that blocks share
  Chunk* chunks_ = nullptr;
  Block* spare_ = nullptr;  // one wholly free chunk kept back from the system
  std::uint32_t first_map_ = 0;
  std::array<std::uint32_t, kClasses> second_map_{};
  std::array<std::array<Block*, kSubclasses>, kClasses> bins_{};
  std::array<Aside, kAsideSizes> aside_{};
  std::atomic<void*> deferred_{nullptr};
  std::atomic<std::uint32_t> references_{1};
};

}  // namespace vcache::l1::store
