#include "sim/replay.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "l1/policy/any_policy.hpp"
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
      between_blocks();
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    totals_.seconds += taken.count();
  }

 protected:
  [[nodiscard]] const P& policy() const noexcept { return cache_.policy(); }
  [[nodiscard]] P& policy() noexcept { return cache_.policy(); }
  [[nodiscard]] l1::policy::EntryId id_of(std::uint64_t key_hash) const noexcept {
    return cache_.id_of(key_hash);
  }
  virtual void between_blocks() {}
  virtual void before(std::uint64_t /*key_hash*/, base::Nanos /*now*/) {}
  virtual void after(std::uint64_t /*key_hash*/, base::Nanos /*now*/) {}

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
      if (requests.times.empty()) {
        request(requests, first + i, hashes[i]);
        continue;
      }
      const base::Nanos now(requests.times[first + i]);
      before(hashes[i], now);
      request(requests, first + i, hashes[i]);
      after(hashes[i], now);
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
        static_cast<std::uint64_t>(base::random_unit(random_) * static_cast<double>(seen_));
    if (place < size_) kept_[place] = example;
  }
  [[nodiscard]] std::span<const predictor::Example> kept() const noexcept { return kept_; }

 private:
  std::size_t size_;
  std::uint64_t random_;
  std::uint64_t seen_ = 0;
  std::vector<predictor::Example> kept_;
};

// What a replay makes of the examples that its policy tells of.
struct Lessons {
  explicit Lessons(Reservoir reservoir) : kept(std::move(reservoir)) {}

  Reservoir kept;
  std::unique_ptr<predictor::Learner> learner;

  void add(const predictor::Example& example) {
    kept.add(example);
    if (learner != nullptr) learner->add(example);
  }
};

class LearnedReplay final : public PolicyReplay<l1::policy::Learned> {
 public:
  explicit LearnedReplay(ReplayOptions options) : LearnedReplay(options, lessons_of(options)) {}

  [[nodiscard]] std::span<const predictor::Example> examples() const noexcept override {
    return lessons_->kept.kept();
  }
  [[nodiscard]] const l1::policy::Learned* learned() const noexcept override { return &policy(); }
  [[nodiscard]] const predictor::Learner* learner() const noexcept override {
    return lessons_->learner.get();
  }
  [[nodiscard]] std::span<const predictor::Hour::Outcome> outcomes() const noexcept override {
    return outcomes_;
  }

 protected:
  // More than a live cache has, so that they span an hour of bursts.
  static constexpr std::size_t kSamples = 32'768;

  void before(std::uint64_t key_hash, base::Nanos now) override {
    hour_.settle(now, [this](const predictor::Hour::Outcome& o) { outcomes_.push_back(o); });
    hour_.on_access(key_hash);
  }

  void after(std::uint64_t key_hash, base::Nanos now) override {
    rate_.note(now, policy().now());
    const double rate = rate_.per_second(now, policy().now());
    hour_.reach(kSamples);
    if (!hour_.wants(rate)) return;
    const auto asked = hour_.choose({.key_hash = key_hash});
    const auto known = policy().judge(asked.key_hash, id_of(asked.key_hash));
    if (!known || !known->is_scored) return;
    const std::chrono::duration<double> span = hour_.span();
    const double residences = rate * span.count() / known->mean_residence;
    hour_.sample(asked, predictor::outlook_of(known->snapshot.past, known->heads, residences), now);
  }

  void between_blocks() override {
    predictor::Learner* learner = lessons_->learner.get();
    if (learner == nullptr || !learner->is_due()) return;
    if (auto model = learner->learn()) policy().set_online(std::move(model));
  }

 private:
  LearnedReplay(const ReplayOptions& options, const std::shared_ptr<Lessons>& lessons)
      : PolicyReplay(l1::policy::Learned(policy_options(options, lessons)), options.capacity,
                     options.unit),
        lessons_(lessons),
        hour_(options.seed, options.span) {}

  static std::shared_ptr<Lessons> lessons_of(ReplayOptions& options) {
    auto lessons = std::make_shared<Lessons>(Reservoir(options.examples, options.seed));
    if (options.trainer != nullptr) {
      lessons->learner = std::make_unique<predictor::Learner>(std::move(options.trainer),
                                                              options.model, options.seed);
    }
    return lessons;
  }

  static l1::policy::LearnedOptions policy_options(const ReplayOptions& options,
                                                   const std::shared_ptr<Lessons>& lessons) {
    l1::policy::LearnedOptions policy{.frozen = options.model,
                                      .objective = options.objective,
                                      .seed = options.seed,
                                      .pinned = options.pinned};
    if (options.examples > 0 || lessons->learner != nullptr) {
      policy.examples = [lessons](const predictor::Example& e) { lessons->add(e); };
    }
    return policy;
  }

  std::shared_ptr<Lessons> lessons_;
  predictor::AccessRate rate_;
  predictor::Hour hour_;
  std::vector<predictor::Hour::Outcome> outcomes_;
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

std::unique_ptr<Replay> make_replay(ReplayOptions options) {
  const auto replay = [&](auto policy) {
    return replay_of(std::move(policy), options.capacity, options.unit);
  };
  if (options.policy == Fifo::kName) return replay(Fifo());
  if (options.policy == Belady::kName) return replay(Belady());
  if (options.policy == l1::policy::Learned::kName) {
    return std::make_unique<LearnedReplay>(std::move(options));
  }
  auto shipped = l1::policy::make_policy(options.policy, options.seed);
  if (!shipped) return nullptr;
  return std::visit([&](auto& policy) { return replay(std::move(policy)); }, *shipped);
}

}  // namespace vcache::sim
