#include "predictor/watched.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "base/random.hpp"
#include "predictor/features.hpp"

namespace vcache::predictor {

namespace {

constexpr std::size_t kProbes = 64;
constexpr int kTimedCalls = 10;
constexpr float kTolerance = 1e-3F;

using ProbeInputs = std::array<float, kProbes * kInputs>;
using ProbeHeads = std::array<float, kProbes * kHeads>;

// Over the whole range of inputs, and beyond the usual.
ProbeInputs probes() noexcept {
  ProbeInputs inputs{};
  std::uint64_t random = 1;
  for (float& input : inputs) input = static_cast<float>(6 * base::random_unit(random) - 3.5);
  return inputs;
}

Watched::Time system_now() noexcept { return std::chrono::steady_clock::now(); }

base::Error refused(std::string why) {
  return {.code = base::ErrorCode::kInvalid, .detail = std::move(why)};
}

// By the quickest of a few calls: others may have waited for the processor.
base::Error check_latency(const Predictor& predictor, const ProbeInputs& inputs, Watched::Now now) {
  ProbeHeads heads{};
  Watched::Time::duration least = Watched::Time::duration::max();
  for (int call = 0; call < kTimedCalls && least > Watched::kBudget; ++call) {
    const Watched::Time start = now();
    if (base::Error error = predictor.score(inputs, kProbes, heads); !error.ok()) return error;
    least = std::min(least, now() - start);
  }
  if (least <= Watched::kBudget) return {};
  const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(least);
  return refused("the model takes " + std::to_string(taken.count()) + " us to score " +
                 std::to_string(kProbes) + " rows: allowed are " +
                 std::to_string(Watched::kBudget.count()));
}

}  // namespace

Watched::Watched(std::unique_ptr<const Predictor> predictor, Now now) noexcept
    : predictor_(std::move(predictor)), now_(now != nullptr ? now : &system_now) {}

base::Error Watched::score(std::span<const float> features, std::size_t rows,
                           std::span<float> out) const noexcept {
  if (rests()) return {.code = base::ErrorCode::kTimeout, .detail = {}};
  const Time start = now_();
  base::Error error = predictor_->score(features, rows, out);
  if (now_() - start <= kBudget) {
    in_a_row_.store(0, std::memory_order_relaxed);
    return error;
  }
  late_.fetch_add(1, std::memory_order_relaxed);
  if (in_a_row_.fetch_add(1, std::memory_order_relaxed) + 1 >= kMostLate) {
    in_a_row_.store(0, std::memory_order_relaxed);
    resting_.store(kRest, std::memory_order_relaxed);
  }
  return error;
}

// Counts a call that is not asked. Never below zero, whoever else counts.
bool Watched::rests() const noexcept {
  std::uint32_t left = resting_.load(std::memory_order_relaxed);
  while (left > 0 && !resting_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
  }
  return left > 0;
}

bool agree_on_probes(const Predictor& one, const Predictor& other) noexcept {
  if (one.inputs() != kInputs || one.outputs() != kHeads) return false;
  const ProbeInputs inputs = probes();
  ProbeHeads ones{};
  ProbeHeads others{};
  if (!one.score(inputs, kProbes, ones).ok() || !other.score(inputs, kProbes, others).ok()) {
    return false;
  }
  for (std::size_t i = 0; i < ones.size(); ++i) {
    if (!(std::abs(ones[i] - others[i]) <= kTolerance)) return false;
  }
  return true;
}

base::Error check_on_probes(const Predictor& predictor, Watched::Now now) {
  if (predictor.inputs() != kInputs || predictor.outputs() != kHeads) {
    return refused("the model takes " + std::to_string(predictor.inputs()) + " inputs and gives " +
                   std::to_string(predictor.outputs()) + ": allowed are " +
                   std::to_string(kInputs) + " and " + std::to_string(kHeads));
  }
  const ProbeInputs inputs = probes();
  ProbeHeads heads{};
  if (base::Error error = predictor.score(inputs, kProbes, heads); !error.ok()) return error;
  for (const float head : heads) {
    if (!(head >= 0 && head <= 1)) {
      return refused("the model gives " + std::to_string(head) +
                     ": allowed are probabilities from 0 to 1");
    }
  }
  return check_latency(predictor, inputs, now != nullptr ? now : &system_now);
}

}  // namespace vcache::predictor
