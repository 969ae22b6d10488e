#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// How often an id was given out; wraps.
using Generation = std::uint16_t;

// An entry as one side of a queue knows it: the id may be another entry's by now.
struct Named {
  EntryId id = kNoEntry;
  Generation generation = 0;
};

// What happened to an entry.
struct Note {
  // kSpared: it was chosen to leave, and is not any more, for it was used since.
  enum class Kind : std::uint8_t { kInsert, kUpdate, kHit, kErase, kEvict, kSpared };

  std::uint64_t key_hash = 0;  // of kInsert and kUpdate, like bytes, cost and origin
  EntryId id = kNoEntry;
  std::uint32_t bytes = 0;
  float cost = 0;
  Generation generation = 0;
  Kind kind = Kind::kHit;
  Origin origin = {};
};
static_assert(sizeof(Note) == 24);

// A bounded queue of notes from one thread at a time to one other at a time; lock-free.
// Single producer, single consumer: Lamport, "Specifying Concurrent Program Modules", 1983.
class NoteQueue {  // NOLINT(clang-analyzer-optin.performance.Padding): keeps cores apart
 public:
  // Requires: a power of two.
  explicit NoteQueue(std::size_t capacity) : notes_(capacity) {}

  // The producer's. False where the queue is full.
  bool push(const Note& note) noexcept {
    const std::uint32_t end = end_.load(std::memory_order_relaxed);
    if (end - begin_.load(std::memory_order_acquire) == notes_.size()) return false;
    notes_[end & (notes_.size() - 1)] = note;
    end_.store(end + 1, std::memory_order_release);
    return true;
  }

  // The consumer's. take(note) of each that is there, in order; how many there were.
  template <class Take>
  std::size_t drain(Take take) {
    const std::uint32_t end = end_.load(std::memory_order_acquire);
    std::uint32_t at = begin_.load(std::memory_order_relaxed);
    const std::uint32_t count = end - at;
    for (; at != end; ++at) take(notes_[at & (notes_.size() - 1)]);
    begin_.store(end, std::memory_order_release);
    return count;
  }

  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint32_t begin = begin_.load(std::memory_order_relaxed);
    return end_.load(std::memory_order_relaxed) - begin;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return notes_.size(); }

 private:
  static constexpr std::size_t kLine = 64;  // bytes that one core writes without another's

  std::vector<Note> notes_;
  alignas(kLine) std::atomic<std::uint32_t> end_{0};
  alignas(kLine) std::atomic<std::uint32_t> begin_{0};
};

}  // namespace vcache::l1::policy
