#pragma once

#include <algorithm>
#include <cstddef>

namespace vcache::l1::policy {

// Finds the share that gives the best hit ratio, from 0 to a highest one: after every sample of ten
// requests an entry it goes on in the direction of its last step if hits became more, and turns
// back if they became fewer. Steps become smaller each time, so that it settles, and it starts
// afresh where the hit ratio changes a lot, which it does when the workload changes.
// Einziger, Eytan, Friedman, Manes, "Adaptive Software Cache Management", Middleware 2018; decay
// and restart are those of Caffeine. Differs from both: it turns back at either end, and the first
// step goes up, since it starts near the lower one; a sample is never so small that chance decides.
class HillClimber {
 public:
  HillClimber(double first, double highest) noexcept : share_(first), highest_(highest) {}

  [[nodiscard]] double share() const noexcept { return share_; }
  // Goes on from a share that was found elsewhere.
  void resume(double share) noexcept { share_ = std::clamp(share, 0.0, highest_); }
  // Counts a request to a full cache of that many entries.
  void count(bool hit, std::size_t entries) noexcept {
    hits_ += hit ? 1 : 0;
    if (++requests_ >= std::max(kLeastSample, kSampleOfEntry * entries)) climb();
  }

 private:
  static constexpr std::size_t kSampleOfEntry = 10;
  static constexpr std::size_t kLeastSample = 2'000;
  static constexpr double kFirstStep = 0.0625;
  static constexpr double kDecay = 0.98;
  static constexpr double kRestart = 0.05;  // change of the hit ratio

  void climb() noexcept;

  double share_;
  double highest_;
  double step_ = kFirstStep;
  double last_ratio_ = 0;
  std::size_t requests_ = 0;  // of this sample
  std::size_t hits_ = 0;
};

}  // namespace vcache::l1::policy
