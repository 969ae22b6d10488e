#include "sim/replay.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "l1/policy/any_policy.hpp"
#include "l1/policy/random.hpp"
#include "l1/policy/shadow.hpp"
#include "sim/belady.hpp"
#include "sim/fifo.hpp"
#include "sim/spread.hpp"

namespace vcache::sim {

namespace {

// One loop for each policy: nothing is dispatched for a request.
template <class P>
class PolicyReplay : public Replay {
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

 protected:
  [[nodiscard]] const P& policy() const noexcept { return cache_.policy(); }

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

// A random part of what it was given (reservoir sampling: Vitter, "Random Sampling with a
// Reservoir", 1985).
class Reservoir {
 public:
  Reservoir(std::size_t size, std::uint64_t seed) : size_(size), random_(seed) {}

  void add(const predictor::Example& example) {
    ++seen_;
    if (kept_.size() < size_) return kept_.push_back(example);
    const auto place =
        static_cast<std::uint64_t>(l1::policy::random_unit(random_) * static_cast<double>(seen_));
    if (place < size_) kept_[place] = example;
  }
  [[nodiscard]] std::span<const predictor::Example> kept() const noexcept { return kept_; }

 private:
  std::size_t size_;
  std::uint64_t random_;
  std::uint64_t seen_ = 0;
  std::vector<predictor::Example> kept_;
};

class LearnedReplay final : public PolicyReplay<l1::policy::Learned> {
 public:
  explicit LearnedReplay(const ReplayOptions& options)
      : LearnedReplay(options, std::make_shared<Reservoir>(options.examples, options.seed)) {}

  [[nodiscard]] std::span<const predictor::Example> examples() const noexcept override {
    return examples_->kept();
  }
  [[nodiscard]] const l1::policy::Learned* learned() const noexcept override { return &policy(); }

 private:
  LearnedReplay(const ReplayOptions& options, std::shared_ptr<Reservoir> examples)
      : PolicyReplay(l1::policy::Learned(learned_options(options, examples)), options.capacity,
                     options.unit),
        examples_(std::move(examples)) {}

  static l1::policy::LearnedOptions learned_options(const ReplayOptions& options,
                                                    const std::shared_ptr<Reservoir>& examples) {
    l1::policy::LearnedOptions learned{
        .frozen = options.model, .objective = options.objective, .seed = options.seed};
    if (options.examples > 0) {
      learned.examples = [examples](const predictor::Example& e) { examples->add(e); };
    }
    return learned;
  }

  std::shared_ptr<Reservoir> examples_;
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
    names.push_back(l1::policy::Learned::kName);
    names.push_back(Fifo::kName);
    names.push_back(Belady::kName);
    return names;
  }();
  return all;
}

std::unique_ptr<Replay> make_replay(const ReplayOptions& options) {
  const auto replay = [&](auto policy) {
    return replay_of(std::move(policy), options.capacity, options.unit);
  };
  if (options.policy == Fifo::kName) return replay(Fifo());
  if (options.policy == Belady::kName) return replay(Belady());
  if (options.policy == l1::policy::Learned::kName) return std::make_unique<LearnedReplay>(options);
  auto shipped = l1::policy::make_policy(options.policy, options.seed);
  if (!shipped) return nullptr;
  return std::visit([&](auto& policy) { return replay(std::move(policy)); }, *shipped);
}

}  // namespace vcache::sim
