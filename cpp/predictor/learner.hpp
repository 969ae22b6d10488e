#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "predictor/example.hpp"
#include "predictor/mlp.hpp"
#include "predictor/target.hpp"
#include "predictor/trainer.hpp"

namespace vcache::predictor {

// How a fit went.
struct LearnerRecord {
  std::uint64_t fits = 0;
  std::uint64_t published = 0;
  std::uint64_t refused =
      0;  // worse than the model there was, on examples that it was not fitted to
  std::uint64_t failed = 0;
  double loss = 0;      // of the model there is, on those examples, in nats
  double accuracy = 0;  // share of them for which it was right at p >= 0.5
};

// Fits a model to the newest examples, again and again, and gives it out where it is no worse than
// the one before on the newest tenth, to which it was not fitted. One thread at a time.
// Replay buffer, periods and rate: as LRB (Song et al., NSDI 2020) in kind, for a smaller model.
class Learner {
 public:
  static constexpr std::size_t kKept = 32'768;   // the newest examples, unless it is to keep fewer
  static constexpr std::size_t kFirst = 1'024;   // examples before the first fit
  static constexpr std::size_t kPeriod = 4'096;  // examples from fit to fit

  // `start`, the model there is, where there is one, is what the trainer starts from. Requires:
  // kept >= kFirst.
  Learner(std::unique_ptr<Trainer> trainer, std::shared_ptr<const Mlp> start, std::uint64_t seed,
          std::size_t kept = kKept);

  void add(const Example& example);
  // Examples kept.
  [[nodiscard]] std::size_t size() const noexcept { return ring_.size(); }
  [[nodiscard]] bool is_due() const noexcept;
  // Fits; the model where it is to be used from now on, else nullptr. Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<const Mlp> learn();

  // Whether a model that was fitted elsewhere is no worse than the one there is, on the newest
  // examples. True where there is no other, or are none.
  [[nodiscard]] bool is_no_worse(const Mlp& model) const;
  // That model is the one there is from now on; fitting goes on from the trainer's.
  void take_over(std::shared_ptr<const Mlp> model) { model_ = std::move(model); }

  [[nodiscard]] const LearnerRecord& record() const noexcept { return record_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  struct Batch {
    std::vector<float> features;
    std::vector<Target> targets;
  };
  struct Judgement {
    double loss = 0;
    double accuracy = 0;
  };

  // An example by age, 0 the oldest.
  [[nodiscard]] const Example& at(std::size_t age) const noexcept;
  static void take(Batch& batch, const Example& example);
  [[nodiscard]] Batch fitting();
  [[nodiscard]] Batch newest() const;
  [[nodiscard]] static Judgement judge(const Mlp& model, const Batch& batch);
  [[nodiscard]] std::shared_ptr<const Mlp> fitted();

  std::unique_ptr<Trainer> trainer_;
  std::shared_ptr<const Mlp> model_;
  std::uint64_t random_;
  std::size_t kept_;
  std::vector<Example> ring_;
  std::size_t next_ = 0;  // where the next one goes once the ring is full
  std::size_t since_ = 0;
  LearnerRecord record_;
};

}  // namespace vcache::predictor
