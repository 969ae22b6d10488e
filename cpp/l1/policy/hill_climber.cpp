#include "l1/policy/hill_climber.hpp"

#include <cmath>

namespace vcache::l1::policy {

void HillClimber::climb() noexcept {
  const double ratio = static_cast<double>(hits_) / static_cast<double>(requests_);
  const double change = ratio - last_ratio_;
  double step = change >= 0 ? step_ : -step_;
  const double wanted = share_ + step;
  share_ = std::clamp(wanted, 0.0, highest_);
  if (share_ != wanted) step = -step;
  const bool afresh = std::abs(change) >= kRestart;
  step_ = afresh ? std::copysign(kFirstStep, step) : kDecay * step;
  last_ratio_ = ratio;
  requests_ = 0;
  hits_ = 0;
}

}  // namespace vcache::l1::policy
