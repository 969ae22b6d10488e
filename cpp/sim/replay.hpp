#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "l1/policy/learned.hpp"
#include "predictor/example.hpp"
#include "predictor/hour.hpp"
#include "predictor/learner.hpp"
#include "predictor/mlp.hpp"
#include "predictor/trainer.hpp"

namespace vcache::sim {

// What a capacity counts.
enum class Unit : std::uint8_t { kEntries, kBytes };

// A stretch of a trace, one element a request in each array that is not empty.
struct Requests {
  std::span<const std::uint64_t> ids;    // any numbers: they are hashed before use
  std::span<const std::uint32_t> sizes;  // bytes; empty: 1 each
  std::span<const float> costs;          // of a miss; empty: unknown
  // Number in the trace of the request that asks for the same id next, kNever if none does; for
  // belady only.
  std::span<const std::uint64_t> next_uses;
  // Nanoseconds since any moment; empty: unknown. They matter to what "learned" predicts alone.
  std::span<const std::int64_t> times = {};
};

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

struct Totals {
  std::uint64_t requests = 0;
  std::uint64_t hits = 0;
  std::uint64_t evictions = 0;
  std::uint64_t bytes_requested = 0;
  std::uint64_t bytes_hit = 0;
  double cost_requested = 0;
  double cost_saved = 0;
  double seconds = 0;  // of the replay alone
};

// A cache of metadata only to which a trace is replayed, a stretch at a time. A missed object is
// stored unless it is larger than the capacity. Not thread-safe.
class Replay {
 public:
  Replay() = default;
  virtual ~Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // Requires: arrays that are not empty are as long as `ids`; next_uses is there for belady.
  // Throws std::bad_alloc, after which the replay is over.
  virtual void run(const Requests& requests) = 0;
  [[nodiscard]] const Totals& totals() const noexcept { return totals_; }

  // Of "learned" only: what could have been learned meanwhile, a random part of it; and who led.
  [[nodiscard]] virtual std::span<const predictor::Example> examples() const noexcept { return {}; }
  [[nodiscard]] virtual const l1::policy::Learned* learned() const noexcept { return nullptr; }
  [[nodiscard]] virtual const predictor::Learner* learner() const noexcept { return nullptr; }
  // What was predicted of sampled keys, and what became of them; where the trace has times.
  [[nodiscard]] virtual std::span<const predictor::Hour::Outcome> outcomes() const noexcept {
    return {};
  }

 protected:
  Totals totals_;
};

struct ReplayOptions {
  std::string_view policy;
  std::uint64_t capacity = 1;
  Unit unit = Unit::kEntries;
  std::uint64_t seed = 0;
  // Of "learned". Without a model it has the classic experts alone. A trainer, which starts from
  // the model, has it learn as a live cache does.
  std::shared_ptr<const predictor::Mlp> model = {};
  std::unique_ptr<predictor::Trainer> trainer = {};
  l1::policy::Objective objective = l1::policy::Objective::kMisses;
  std::size_t examples = 0;                   // to keep
  std::string_view pinned = {};               // the expert that always leads; empty: the best
  base::Nanos span = predictor::Hour::kHour;  // of what is predicted
};

// Every name that make_replay() knows: those of l1's policies, learned, fifo and belady.
[[nodiscard]] std::span<const std::string_view> replay_names();

// nullptr when the name is unknown. Equal options give equal totals.
[[nodiscard]] std::unique_ptr<Replay> make_replay(ReplayOptions options);

}  // namespace vcache::sim
