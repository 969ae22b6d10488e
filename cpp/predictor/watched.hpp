#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "predictor/predictor.hpp"

namespace vcache::predictor {

// A predictor with a budget of time. One that is late several times in a row is not asked for a
// while: what it would be asked for fails at once.
class Watched final : public Predictor {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Now = Time (*)() noexcept;

  static constexpr std::chrono::microseconds kBudget{500};  // of a call
  static constexpr std::uint32_t kMostLate = 3;             // in a row
  static constexpr std::uint32_t kRest = 1'000;             // calls

  explicit Watched(std::unique_ptr<const Predictor> predictor, Now now = nullptr) noexcept;

  [[nodiscard]] std::size_t inputs() const noexcept override { return predictor_->inputs(); }
  [[nodiscard]] std::size_t outputs() const noexcept override { return predictor_->outputs(); }
  base::Error score(std::span<const float> features, std::size_t rows,
                    std::span<float> out) const noexcept override;

  // Calls that took longer than the budget.
  [[nodiscard]] std::uint64_t late() const noexcept { return late_.load(); }

 private:
  [[nodiscard]] bool rests() const noexcept;

  const std::unique_ptr<const Predictor> predictor_;
  const Now now_;
  mutable std::atomic<std::uint64_t> late_{0};
  mutable std::atomic<std::uint32_t> in_a_row_{0};
  mutable std::atomic<std::uint32_t> resting_{0};
};

// Whether a predictor takes kInputs and gives kHeads, and scores rows of all kinds as the other one
// does, to a thousandth. Requires: that of the other.
[[nodiscard]] bool agree_on_probes(const Predictor& one, const Predictor& other) noexcept;

// Whether it takes kInputs and gives kHeads, all of them probabilities, within Watched's budget.
[[nodiscard]] base::Error check_on_probes(const Predictor& predictor, Watched::Now now = nullptr);

}  // namespace vcache::predictor
