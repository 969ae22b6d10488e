#include "l1/policy/indexed_heap.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace vcache::l1::policy {
namespace {

TEST(IndexedHeap, TheLowestIsOnTopOverARandomLife) {
  IndexedHeap<int> heap;
  std::map<EntryId, int> plain;
  std::mt19937 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const auto id = static_cast<EntryId>(random() % 200);
    const int rank = static_cast<int>(random() % 1'000);
    if (!plain.contains(id)) {
      heap.push(id, rank);
      plain[id] = rank;
    } else if (random() % 3 == 0) {
      heap.remove(id);
      plain.erase(id);
    } else {
      heap.change(id, rank);
      plain[id] = rank;
    }
    ASSERT_EQ(heap.size(), plain.size());
    if (heap.empty()) continue;
    int lowest = 1'000;
    for (const auto& each : plain) lowest = std::min(lowest, each.second);
    ASSERT_EQ(heap.lowest(), lowest);
    ASSERT_EQ(plain.at(heap.top()), lowest);
  }
}

}  // namespace
}  // namespace vcache::l1::policy
