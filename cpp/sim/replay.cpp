#include "sim/replay.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "l1/policy/any_policy.hpp"
#include "l1/policy/shadow.hpp"
#include "sim/belady.hpp"
#include "sim/fifo.hpp"
#include "sim/spread.hpp"

namespace vcache::sim {

namespace {

// One loop for each policy: nothing is dispatched for a request.
template <class P>
class PolicyReplay final : public Replay {
 public:
  PolicyReplay(P policy, std::uint64_t capacity, Unit unit)
      : cache_(std::move(policy), capacity), unit_(unit) {}

  void run(const Requests& requests) override {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t first = 0; first < requests.ids.size(); first += kBlock) {
      run_block(requests, first, std::min(kBlock, requests.ids.size() - first));
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    totals_.seconds += taken.count();
  }

 private:
  static constexpr std::size_t kBlock = 1'024;
  static constexpr std::size_t kSlotAhead = 24;  // requests
  static constexpr std::size_t kEntryAhead = 12;

  void run_block(const Requests& requests, std::size_t first, std::size_t count) {
    std::array<std::uint64_t, kBlock + kSlotAhead> hashes;
    for (std::size_t i = 0; i < count; ++i) hashes[i] = spread(requests.ids[first + i]);
    std::fill_n(hashes.begin() + count, kSlotAhead, hashes[count - 1]);
    for (std::size_t i = 0; i < std::min(kSlotAhead, count); ++i) cache_.prefetch_slot(hashes[i]);
    for (std::size_t i = 0; i < count; ++i) {
      cache_.prefetch_slot(hashes[i + kSlotAhead]);
      cache_.prefetch_entry(hashes[i + kEntryAhead]);
      request(requests, first + i, hashes[i]);
    }
    totals_.requests += count;
  }

  void request(const Requests& requests, std::size_t place, std::uint64_t hash) {
    const std::uint32_t size = requests.sizes.empty() ? 1 : requests.sizes[place];
    const float cost = requests.costs.empty() ? 0 : requests.costs[place];
    if constexpr (requires(P p) { p.expect(0); }) cache_.policy().expect(requests.next_uses[place]);
    const bool hit =
        cache_.access({.key_hash = hash, .bytes = unit_ == Unit::kBytes ? size : 1, .cost = cost},
                      [this](std::uint64_t) { ++totals_.evictions; });
    totals_.bytes_requested += size;
    totals_.cost_requested += double{cost};
    if (!hit) return;
    ++totals_.hits;
    totals_.bytes_hit += size;
    totals_.cost_saved += double{cost};
  }

  l1::policy::Shadow<P> cache_;
  const Unit unit_;
};

template <class P>
std::unique_ptr<Replay> replay_of(P policy, std::uint64_t capacity, Unit unit) {
  return std::make_unique<PolicyReplay<P>>(std::move(policy), capacity, unit);
}

}  // namespace

std::span<const std::string_view> replay_names() {
  static const std::vector<std::string_view> all = [] {
    const auto shipped = l1::policy::policy_names();
    std::vector<std::string_view> names(shipped.begin(), shipped.end());
    names.push_back(Fifo::kName);
    names.push_back(Belady::kName);
    return names;
  }();
  return all;
}

std::unique_ptr<Replay> make_replay(std::string_view policy, std::uint64_t capacity, Unit unit,
                                    std::uint64_t seed) {
  if (policy == Fifo::kName) return replay_of(Fifo(), capacity, unit);
  if (policy == Belady::kName) return replay_of(Belady(), capacity, unit);
  auto shipped = l1::policy::make_policy(policy, seed);
  if (!shipped) return nullptr;
  return std::visit([&](auto& p) { return replay_of(std::move(p), capacity, unit); }, *shipped);
}

}  // namespace vcache::sim
