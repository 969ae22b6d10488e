#include "predictor/features.hpp"

#include <algorithm>
#include <limits>

namespace vcache::predictor {

namespace {

constexpr float kLeast = -12;
constexpr float kMost = 6;
constexpr float kScale = 0.25F;
constexpr float kEighths = 8;
constexpr float kNoGap = kMost * kScale;
constexpr float kNoRatio = -1;

[[nodiscard]] float scaled(float log2) noexcept { return std::clamp(log2, kLeast, kMost) * kScale; }

// Half a step more than the count, so that 0 has a logarithm.
[[nodiscard]] float log2_half_up(std::uint32_t count) noexcept {
  constexpr std::uint32_t kTop = std::numeric_limits<std::uint32_t>::max() / 2;
  return log2_of(2 * std::min(count, kTop) + 1) - 1;
}

[[nodiscard]] float log2_of_gap(LogGap gap) noexcept {
  return static_cast<float>(gap - 1) / kEighths;
}

[[nodiscard]] std::uint32_t length(LogGap gap) noexcept {
  return std::uint32_t{1} << std::min((gap - 1) / 8, 31);
}

}  // namespace

LogGap log_gap(std::uint32_t gap) noexcept {
  return static_cast<LogGap>(1 + std::max(0.0F, log2_half_up(gap)) * kEighths);
}

void note_access(KeyPast& past, AccessTime now) noexcept {
  past.gaps = {log_gap(now - past.last), past.gaps[0], past.gaps[1], past.gaps[2]};
  past.last = now;
  if (past.accesses < std::numeric_limits<std::uint16_t>::max()) ++past.accesses;
}

void write_features(const Snapshot& snapshot, Inputs out) noexcept {
  const KeyPast& past = snapshot.past;
  const auto relative = [&](std::uint32_t time) {
    return scaled(log2_half_up(time) - snapshot.log2_residence);
  };
  const AccessTime age = snapshot.now - past.last;
  const AccessTime known = snapshot.now - past.first;
  out[0] = relative(age);
  for (std::size_t i = 0; i < past.gaps.size(); ++i) {
    const LogGap gap = past.gaps[i];
    out[1 + i] = gap == 0 ? kNoGap : scaled(log2_of_gap(gap) - snapshot.log2_residence);
  }
  out[5] = log2_of(past.accesses) * kScale;
  out[6] = log2_of(snapshot.residence.hits + 1U) * kScale;
  out[7] = relative(known);
  out[8] = relative(snapshot.now - snapshot.residence.since);
  out[9] = scaled(log2_of(past.accesses) - log2_of(known + 1) + snapshot.log2_residence);
  const bool again = past.gaps[0] != 0;
  out[10] = again ? relative(age + length(past.gaps[0])) : kNoGap;
  out[11] = again ? scaled(log2_half_up(age) - log2_of_gap(past.gaps[0])) : kNoRatio;
  out[12] = log2_of(snapshot.estimate + 1U) * kScale;
  out[13] = snapshot.group_reuse;
  out[14] = scaled(snapshot.log2_size);
  out[15] = scaled(snapshot.log2_cost);
  out[16] = snapshot.is_in_redis ? 1.0F : 0.0F;
}

}  // namespace vcache::predictor
