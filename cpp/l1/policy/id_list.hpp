#pragma once

#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// What every policy keeps of an entry, in a vector indexed by id. Policies derive from it.
struct Node {
  EntryId prev = kNoEntry;
  EntryId next = kNoEntry;
  std::uint32_t bytes = 0;
};

// Makes `records[id]` exist. The vector grows geometrically and never shrinks.
template <class T>
void reach(base::Table<T>& records, EntryId id) {
  if (id >= records.size()) records.resize(std::size_t{id} + 1);
}

template <class T>
[[nodiscard]] std::size_t occupied(const base::Table<T>& records) noexcept {
  return records.size() * sizeof(T);
}

// Doubly linked list whose links are the prev and next of its owner's nodes; front to back
// follows next. An id is in at most one list.
class IdList {
 public:
  [[nodiscard]] EntryId front() const noexcept { return front_; }
  [[nodiscard]] EntryId back() const noexcept { return back_; }
  [[nodiscard]] bool empty() const noexcept { return front_ == kNoEntry; }

  template <class T>
  void push_front(base::Table<T>& nodes, EntryId id) noexcept {
    nodes[id].prev = kNoEntry;
    nodes[id].next = front_;
    (front_ == kNoEntry ? back_ : nodes[front_].prev) = id;
    front_ = id;
  }

  template <class T>
  void push_back(base::Table<T>& nodes, EntryId id) noexcept {
    nodes[id].prev = back_;
    nodes[id].next = kNoEntry;
    (back_ == kNoEntry ? front_ : nodes[back_].next) = id;
    back_ = id;
  }

  template <class T>
  void remove(base::Table<T>& nodes, EntryId id) noexcept {
    const EntryId prev = nodes[id].prev;
    const EntryId next = nodes[id].next;
    (prev == kNoEntry ? front_ : nodes[prev].next) = next;
    (next == kNoEntry ? back_ : nodes[next].prev) = prev;
  }

  template <class T>
  void move_to_front(base::Table<T>& nodes, EntryId id) noexcept {
    if (id == front_) return;
    remove(nodes, id);
    push_front(nodes, id);
  }

 private:
  EntryId front_ = kNoEntry;
  EntryId back_ = kNoEntry;
};

// IdList that knows how many entries and bytes it holds.
class Queue {
 public:
  [[nodiscard]] EntryId front() const noexcept { return list_.front(); }
  [[nodiscard]] EntryId back() const noexcept { return list_.back(); }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  template <class T>
  void push_front(base::Table<T>& nodes, EntryId id) noexcept {
    list_.push_front(nodes, id);
    bytes_ += nodes[id].bytes;
    ++size_;
  }

  template <class T>
  void push_back(base::Table<T>& nodes, EntryId id) noexcept {
    list_.push_back(nodes, id);
    bytes_ += nodes[id].bytes;
    ++size_;
  }

  template <class T>
  void remove(base::Table<T>& nodes, EntryId id) noexcept {
    list_.remove(nodes, id);
    bytes_ -= nodes[id].bytes;
    --size_;
  }

  template <class T>
  void move_to_front(base::Table<T>& nodes, EntryId id) noexcept {
    list_.move_to_front(nodes, id);
  }

  // The entry occupies `bytes` from now on.
  template <class T>
  void resize(base::Table<T>& nodes, EntryId id, std::uint32_t bytes) noexcept {
    bytes_ += bytes;
    bytes_ -= nodes[id].bytes;
    nodes[id].bytes = bytes;
  }

  // Requires: !empty().
  template <class T>
  EntryId pop_back(base::Table<T>& nodes) noexcept {
    const EntryId id = back();
    remove(nodes, id);
    return id;
  }

 private:
  IdList list_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace vcache::l1::policy
