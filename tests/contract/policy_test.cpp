#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <new>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "l1/policy/any_policy.hpp"

namespace {

std::atomic<std::uint64_t> g_allocations{0};

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  ++g_allocations;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace vcache::l1::policy {
namespace {

constexpr std::uint64_t kSeed = 7;

template <class P>
P make() {
  if constexpr (std::is_constructible_v<P, std::uint64_t>) {
    return P(kSeed);
  } else {
    return P();
  }
}

// The policy of that place in policy_names(), behind the functions over AnyPolicy.
template <std::size_t kPlace>
class Through {
 public:
  static constexpr std::string_view kName = "any";

  Through() : policy_(*make_policy(policy_names()[kPlace], kSeed)) {}

  void on_miss(const Candidate& c) noexcept { policy::on_miss(policy_, c); }
  void on_insert(EntryId id, const Candidate& c) { policy::on_insert(policy_, id, c); }
  void on_update(EntryId id, const Candidate& c) { policy::on_update(policy_, id, c); }
  void on_hit(EntryId id) noexcept { on_hits(policy_, std::span(&id, 1)); }
  void on_erase(EntryId id) noexcept { policy::on_erase(policy_, id); }
  EntryId evict() { return policy::evict(policy_); }
  [[nodiscard]] std::size_t size() const noexcept { return policy::size(policy_); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return policy::bytes(policy_); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return policy::memory_bytes(policy_); }

 private:
  AnyPolicy policy_;
};
static_assert(EvictionPolicy<Through<0>> && LearnsOfMisses<Through<0>>);

// A policy beside a plain account of what it holds; each call checks one against the other.
template <class P>
class Checked {
 public:
  explicit Checked(std::uint64_t seed) : random_(seed) {}

  // Of a few keys, so that some were held before; the policy may have been told of the miss.
  void insert(std::uint32_t bytes) {
    const Candidate candidate{.key_hash = random_() % kKeys, .bytes = bytes, .cost = 1};
    if (random_() % 2 == 0) tell_miss(policy_, candidate);
    const EntryId id = free_id();
    policy_.on_insert(id, candidate);
    held_[id] = bytes;
    check();
  }
  void update(EntryId id, std::uint32_t bytes) {
    policy_.on_update(id, {.key_hash = random_(), .bytes = bytes, .cost = 1});
    held_[id] = bytes;
    check();
  }
  void hit(EntryId id) {
    policy_.on_hit(id);
    check();
  }
  void erase(EntryId id) {
    policy_.on_erase(id);
    drop(id);
  }
  EntryId evict() {
    const EntryId id = policy_.evict();
    drop(id);
    return id;
  }

  [[nodiscard]] EntryId any_held() {
    auto place = held_.lower_bound(static_cast<EntryId>(random_() % next_id_));
    return place == held_.end() ? held_.begin()->first : place->first;
  }
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const { return policy_.memory_bytes(); }
  [[nodiscard]] P& policy() { return policy_; }

 private:
  EntryId free_id() {
    if (freed_.empty()) return next_id_++;
    const EntryId id = freed_.back();
    freed_.pop_back();
    return id;
  }
  void drop(EntryId id) {
    ASSERT_EQ(held_.erase(id), 1U) << "id " << id << " was not held";
    freed_.push_back(id);
    check();
  }
  void check() {
    std::uint64_t bytes = 0;
    for (const auto& [id, size] : held_) bytes += size;
    ASSERT_EQ(policy_.size(), held_.size());
    ASSERT_EQ(policy_.bytes(), bytes);
  }

  static constexpr std::uint64_t kKeys = 5'000;

  P policy_ = make<P>();
  std::map<EntryId, std::uint32_t> held_;
  std::vector<EntryId> freed_;
  EntryId next_id_ = 0;
  std::mt19937_64 random_;
};

// A step of a random life around `target` entries of the sizes in `sizes`. Returns the victim.
template <class P>
EntryId step(Checked<P>& cache, std::mt19937_64& random, std::size_t target,
             std::span<const std::uint32_t> sizes) {
  const auto size = sizes[random() % sizes.size()];
  if (cache.size() == 0 || (cache.size() < target && random() % 2 == 0)) {
    cache.insert(size);
    return kNoEntry;
  }
  switch (random() % 8) {
    case 0:
      cache.erase(cache.any_held());
      return kNoEntry;
    case 1:
      cache.update(cache.any_held(), size);
      return kNoEntry;
    case 2:
    case 3:
      return cache.evict();
    default:
      cache.hit(cache.any_held());
      return kNoEntry;
  }
}

using Sizes = std::span<const std::uint32_t>;
constexpr std::array<std::uint32_t, 1> kOnes = {1};
constexpr std::array<std::uint32_t, 7> kSizes = {0, 1, 100, 1'600, 1'601, 70'000, 4'000'000'000};

template <class P>
class PolicyContract : public ::testing::Test {};

using Policies =
    ::testing::Types<Lru, Lfu, S3Fifo, Sieve, Arc, WTinyLfu, Gdsf, Through<0>, Through<1>,
                     Through<2>, Through<3>, Through<4>, Through<5>, Through<6>>;
TYPED_TEST_SUITE(PolicyContract, Policies);

TYPED_TEST(PolicyContract, HoldsWhatItWasGivenUntilItLeaves) {
  for (const Sizes sizes : {Sizes(kOnes), Sizes(kSizes)}) {
    for (const std::size_t target : {1U, 2U, 40U, 300U}) {
      std::mt19937_64 random(target);
      Checked<TypeParam> cache(target + 1);
      for (int i = 0; i < 20'000 && !this->HasFatalFailure(); ++i) {
        step(cache, random, target, sizes);
      }
    }
  }
}

TYPED_TEST(PolicyContract, EvictsEveryIdOnce) {
  std::mt19937_64 random(3);
  Checked<TypeParam> cache(4);
  for (int i = 0; i < 5'000; ++i) step(cache, random, 200, kSizes);
  const std::size_t size = cache.size();
  std::set<EntryId> victims;
  for (std::size_t i = 0; i < size; ++i) victims.insert(cache.evict());
  EXPECT_EQ(victims.size(), size);
  EXPECT_EQ(cache.policy().size(), 0U);
  EXPECT_EQ(cache.policy().bytes(), 0U);
}

TYPED_TEST(PolicyContract, ErasedEntriesAreNeverVictims) {
  Checked<TypeParam> cache(5);
  for (int i = 0; i < 1'000; ++i) cache.insert(10);
  for (EntryId id = 0; id < 1'000; id += 2) cache.erase(id);
  while (cache.size() > 0) EXPECT_EQ(cache.evict() % 2, 1U);
}

TYPED_TEST(PolicyContract, EmptiesAndFillsAgain) {
  Checked<TypeParam> cache(6);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i) cache.insert(64);
    for (int i = 0; i < 100; ++i) cache.hit(cache.any_held());
    for (int i = 0; i < 25; ++i) cache.erase(cache.any_held());
    while (cache.size() > 0) cache.evict();
  }
}

TYPED_TEST(PolicyContract, EqualCallsGiveEqualVictims) {
  std::mt19937_64 random_a(8);
  std::mt19937_64 random_b(8);
  Checked<TypeParam> a(9);
  Checked<TypeParam> b(9);
  int victims = 0;
  for (int i = 0; i < 20'000; ++i) {
    const EntryId victim = step(a, random_a, 100, kSizes);
    ASSERT_EQ(victim, step(b, random_b, 100, kSizes)) << "step " << i;
    victims += victim == kNoEntry ? 0 : 1;
  }
  EXPECT_GT(victims, 1'000);
}

TYPED_TEST(PolicyContract, MemoryIsBoundedByTheIdsInUse) {
  constexpr std::size_t kEntries = 512;
  constexpr std::size_t kMostPerEntry = 64;
  auto policy = make<TypeParam>();
  std::mt19937_64 random(10);
  for (EntryId id = 0; id < kEntries; ++id) policy.on_insert(id, {random(), 100, 0});
  for (int i = 0; i < 200'000; ++i) {
    policy.on_hit(static_cast<EntryId>(random() % kEntries));
    const EntryId id = policy.evict();
    policy.on_insert(id, {random(), 100, 0});
  }
  EXPECT_GT(policy.memory_bytes(), kEntries * sizeof(EntryId));
  EXPECT_LE(policy.memory_bytes(), kEntries * kMostPerEntry);
}

TYPED_TEST(PolicyContract, HitsErasuresAndUpdatesAllocateNothing) {
  constexpr EntryId kEntries = 1'000;
  auto policy = make<TypeParam>();
  std::mt19937_64 random(11);
  for (EntryId id = 0; id < kEntries; ++id) policy.on_insert(id, {random(), 100, 0});
  for (int i = 0; i < 300; ++i) policy.on_insert(policy.evict(), {random(), 100, 0});
  const std::uint64_t before = g_allocations;
  for (EntryId id = 0; id < kEntries; ++id) {
    for (EntryId uses = 0; uses < id; ++uses) policy.on_hit(id);
    policy.on_update(id, {0, 200, 0});
  }
  for (EntryId id = 0; id < kEntries; ++id) policy.on_erase(id);
  EXPECT_EQ(g_allocations, before);
}

}  // namespace
}  // namespace vcache::l1::policy
