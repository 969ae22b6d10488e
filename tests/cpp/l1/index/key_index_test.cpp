#include "l1/index/key_index.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace vcache::l1::index {
namespace {

EntryId find(const KeyIndex& index, std::uint64_t hash, EntryId wanted) {
  return index.find(hash, [wanted](EntryId id) { return id == wanted; });
}

TEST(KeyIndexTest, TellsEqualHashesApart) {
  KeyIndex index;
  for (EntryId id = 0; id < 100; ++id) index.insert(42, id);
  for (EntryId id = 0; id < 100; ++id) EXPECT_EQ(find(index, 42, id), id);
  index.erase(42, 50);
  EXPECT_EQ(find(index, 42, 50), policy::kNoEntry);
  EXPECT_EQ(find(index, 42, 99), 99U);
  EXPECT_EQ(find(index, 43, 1), policy::kNoEntry);
}

// Hashes are drawn from few low bits, so clusters wrap and erasures shift them.
TEST(KeyIndexTest, AgreesWithAMapUnderRandomOperations) {
  KeyIndex index;
  std::unordered_map<EntryId, std::uint64_t> model;
  std::mt19937_64 random(11);
  for (int step = 0; step < 200000; ++step) {
    const auto id = static_cast<EntryId>(random() % 3000);
    const auto held = model.find(id);
    if (held == model.end()) {
      const std::uint64_t hash = random() % 700 * 0x9E3779B97F4A7C15U;
      index.insert(hash, id);
      model.emplace(id, hash);
    } else {
      ASSERT_EQ(find(index, held->second, id), id);
      index.erase(held->second, id);
      ASSERT_EQ(find(index, held->second, id), policy::kNoEntry);
      model.erase(held);
    }
    ASSERT_EQ(index.size(), model.size());
  }
  for (const auto& [id, hash] : model) EXPECT_EQ(find(index, hash, id), id);
}

TEST(KeyIndexTest, CostsAtMostTwentyBytesAnEntryOnceGrown) {
  KeyIndex index;
  std::mt19937_64 random(3);
  for (EntryId id = 0; id < 20000; ++id) {
    index.insert(random(), id);
    if (id > 100) {
      ASSERT_LE(index.memory_bytes(), std::size_t{20} * (id + 1));
    }
  }
}

}  // namespace
}  // namespace vcache::l1::index
