#pragma once

#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// Binary heap of entries by rank, the lowest on top, in which each entry's place is known, so that
// its rank can change. Rank is ordered by <.
template <class Rank>
class IndexedHeap {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
  // Requires: !empty().
  [[nodiscard]] EntryId top() const noexcept { return items_.front().id; }
  [[nodiscard]] const Rank& lowest() const noexcept { return items_.front().rank; }

  // Requires: `id` is held.
  [[nodiscard]] const Rank& rank(EntryId id) const noexcept { return items_[places_[id]].rank; }

  // Requires: `id` is not held. Throws std::bad_alloc, having changed nothing.
  void push(EntryId id, Rank rank) {
    reach(places_, id);
    items_.push_back({rank, id});
    rise(items_.size() - 1, {rank, id});
  }
  // Requires: `id` is held.
  void change(EntryId id, Rank rank) noexcept { settle(places_[id], {rank, id}); }
  void remove(EntryId id) noexcept {
    const std::size_t place = places_[id];
    const Item last = items_.back();
    items_.pop_back();
    if (place < items_.size()) settle(place, last);
  }

  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(items_) + occupied(places_);
  }

 private:
  struct Item {
    Rank rank;
    EntryId id;
  };

  // Puts the item where it belongs, given a place that is free.
  void settle(std::size_t place, Item item) noexcept {
    if (place > 0 && item.rank < items_[(place - 1) / 2].rank) {
      rise(place, item);
    } else {
      sink(place, item);
    }
  }
  void rise(std::size_t place, Item item) noexcept {
    while (place > 0) {
      const std::size_t above = (place - 1) / 2;
      if (!(item.rank < items_[above].rank)) break;
      put(place, items_[above]);
      place = above;
    }
    put(place, item);
  }
  void sink(std::size_t place, Item item) noexcept {
    for (;;) {
      std::size_t below = 2 * place + 1;
      if (below >= items_.size()) break;
      if (below + 1 < items_.size() && items_[below + 1].rank < items_[below].rank) ++below;
      if (!(items_[below].rank < item.rank)) break;
      put(place, items_[below]);
      place = below;
    }
    put(place, item);
  }
  void put(std::size_t place, Item item) noexcept {
    items_[place] = item;
    places_[item.id] = static_cast<std::uint32_t>(place);
  }

  base::Table<Item> items_;
  base::Table<std::uint32_t> places_;  // in items_, by id
};

}  // namespace vcache::l1::policy
