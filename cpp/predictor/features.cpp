#include "predictor/features.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace vcache::predictor {

namespace {

constexpr float kLeast = -12;
constexpr float kMost = 6;
constexpr float kScale = 0.25F;
constexpr float kEighths = 8;
constexpr float kNoGap = kMost * kScale;
constexpr float kNoRatio = -1;

using Ratios = std::array<float, 12>;

// Clips and scales, by vectors: no jumps.
void scale(Ratios& logs) noexcept {
  using Floats [[gnu::vector_size(16)]] = float;
  constexpr std::size_t kLanes = 4;
  for (std::size_t i = 0; i < logs.size(); i += kLanes) {
    Floats each;
    std::memcpy(&each, &logs[i], sizeof(each));
    each = each < kLeast ? Floats{} + kLeast : each;
    each = each > kMost ? Floats{} + kMost : each;
    each *= kScale;
    std::memcpy(&logs[i], &each, sizeof(each));
  }
}

// Twice the count and a half, so that 0 has a logarithm.
[[nodiscard]] std::uint32_t half_up(std::uint32_t count) noexcept {
  constexpr std::uint32_t kTop = std::numeric_limits<std::uint32_t>::max() / 2;
  return 2 * std::min(count, kTop) + 1;
}

[[nodiscard]] float log2_of_gap(LogGap gap) noexcept {
  return static_cast<float>(gap - 1) / kEighths;
}

[[nodiscard]] std::uint32_t length(LogGap gap) noexcept {
  return std::uint32_t{1} << std::min((gap - 1) / 8, 31);
}

}  // namespace

LogGap log_gap(std::uint32_t gap) noexcept {
  return static_cast<LogGap>(1 + std::max(0.0F, log2_of(half_up(gap)) - 1) * kEighths);
}

void note_access(KeyPast& past, AccessTime now) noexcept {
  past.gaps = {log_gap(now - past.last), past.gaps[0], past.gaps[1], past.gaps[2]};
  past.last = now;
  if (past.accesses < std::numeric_limits<std::uint16_t>::max()) ++past.accesses;
}

void write_features(const Snapshot& snapshot, Inputs out) noexcept {
  enum Count : std::uint8_t { kAge, kAgain, kKnown, kStay, kAccesses, kHits, kRate, kEstimate };
  const KeyPast past = snapshot.past;
  const float residence = snapshot.log2_residence;
  const AccessTime age = snapshot.now - past.last;
  const AccessTime known = snapshot.now - past.first;
  const bool again = past.gaps[0] != 0;
  // Logarithms of all counts at once, by vectors.
  const std::array<std::uint32_t, 8> counts = {
      half_up(age),   half_up(age + (again ? length(past.gaps[0]) : 0)),
      half_up(known), half_up(snapshot.now - snapshot.residence.since),
      past.accesses,  snapshot.residence.hits + 1U,
      known + 1,      snapshot.estimate + 1U};
  std::array<float, 8> logs;
  for (std::size_t i = 0; i < counts.size(); ++i) logs[i] = log2_of(counts[i]);
  const auto relative = [&](Count count) { return logs[count] - 1 - residence; };
  Ratios ratios = {relative(kAge),
                   log2_of_gap(past.gaps[0]) - residence,
                   log2_of_gap(past.gaps[1]) - residence,
                   log2_of_gap(past.gaps[2]) - residence,
                   log2_of_gap(past.gaps[3]) - residence,
                   relative(kKnown),
                   relative(kStay),
                   logs[kAccesses] - logs[kRate] + residence,
                   relative(kAgain),
                   logs[kAge] - 1 - log2_of_gap(past.gaps[0]),
                   snapshot.log2_size,
                   snapshot.log2_cost};
  scale(ratios);
  out[0] = ratios[0];
  for (std::size_t i = 0; i < past.gaps.size(); ++i) {
    out[1 + i] = past.gaps[i] == 0 ? kNoGap : ratios[1 + i];
  }
  out[5] = logs[kAccesses] * kScale;
  out[6] = logs[kHits] * kScale;
  out[7] = ratios[5];
  out[8] = ratios[6];
  out[9] = ratios[7];
  out[10] = again ? ratios[8] : kNoGap;
  out[11] = again ? ratios[9] : kNoRatio;
  out[12] = logs[kEstimate] * kScale;
  out[13] = snapshot.group_reuse;
  out[14] = ratios[10];
  out[15] = ratios[11];
  out[16] = snapshot.is_from_redis ? 1.0F : 0.0F;
}

}  // namespace vcache::predictor
