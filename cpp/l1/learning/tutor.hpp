#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "l1/policy/prepared.hpp"
#include "predictor/example.hpp"
#include "predictor/learner.hpp"
#include "predictor/mlp.hpp"
#include "predictor/predictor.hpp"
#include "predictor/trainer.hpp"

namespace vcache::l1::learning {

// How a cache learns. All may be empty.
struct TutorOptions {
  using Model = std::shared_ptr<const predictor::Predictor>;

  // What the fitting starts from.
  std::shared_ptr<const predictor::Mlp> start = {};
  // Empty: nothing is learned. Called on the tutor's thread, when there is enough to learn from;
  // after an error again when a fit is asked for, or is due a minute later.
  std::function<base::Result<std::unique_ptr<predictor::Trainer>>(predictor::StartWeights)>
      make_trainer = {};
  // What scores as the TorchScript archive does; empty: the plain-float twin does.
  std::function<base::Result<std::unique_ptr<predictor::Predictor>>(const std::string& archive)>
      load_scorer = {};
  base::Millis interval{0};                          // the least time from fit to fit
  std::size_t examples = predictor::Learner::kKept;  // to fit to, at most
  std::size_t stewards = 1;
  std::uint64_t seed = 0;
};

// How the tutor's work went.
struct TutorRecord {
  predictor::LearnerRecord fits = {};
  std::uint64_t version = 0;  // of the model in use that was fitted here; 0: none
  std::uint64_t lessons = 0;  // examples that were taken
  std::uint64_t dropped = 0;  // and that were not, for want of room
  base::Nanos published{0};   // steady time at which that model was published
  base::Error problem = {};   // why nothing is fitted
};

// Fits the online model of a cache to what its stewards tell of, and gives it out, on a thread of
// its own that starts with the first lesson and never meets Python. That thread also works through
// notes that pile up while nobody inserts. Thread-safe.
class Tutor final : public policy::Prepared::Alarm, private base::Chore {
 public:
  struct Online {
    TutorOptions::Model model = {};
    std::uint64_t version = 0;
  };

  // `tend` has all stewards read their notes; it is called on the tutor's thread until stop().
  Tutor(TutorOptions options, const base::Clock& clock, std::function<void()> tend);
  ~Tutor();
  Tutor(const Tutor&) = delete;
  Tutor& operator=(const Tutor&) = delete;

  [[nodiscard]] bool teaches() const noexcept { return options_.make_trainer != nullptr; }
  // Takes as many of them as there is room for. Throws std::bad_alloc.
  void take(std::span<const predictor::Example> lessons) VCACHE_EXCLUDES(mutex_);
  // Has the notes be worked through soon.
  void on_half_full() noexcept override;

  // The online model; its version is 0 as long as there is none.
  [[nodiscard]] Online online() const VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }
  [[nodiscard]] const base::Clock& clock() const noexcept { return clock_; }
  // Of the examples that are fitted to: a steward's share of it.
  [[nodiscard]] std::size_t share_of_memory() const noexcept {
    return kept_bytes_.load(std::memory_order_relaxed) / options_.stewards;
  }
  [[nodiscard]] TutorRecord record() const VCACHE_EXCLUDES(mutex_);

  // The model in use that was fitted here or elsewhere; none as long as version() is 0.
  struct Newest {
    std::shared_ptr<const predictor::Mlp> twin = {};
    std::uint64_t version = 0;
    bool is_adopted = false;
    double loss = 0;  // on the newest examples, of one that was fitted here
  };
  [[nodiscard]] Newest newest() const VCACHE_EXCLUDES(mutex_);
  // Uses a model that was fitted elsewhere, where it is no worse than the one in use on the newest
  // examples; whether it does. Waits for a fit under way. Throws std::bad_alloc.
  bool adopt(const std::shared_ptr<const predictor::Mlp>& twin) VCACHE_EXCLUDES(fitting_, mutex_);

  // Has a fit begin as soon as it can, whatever was due; the number that it will have at least.
  std::uint64_t retrain() VCACHE_EXCLUDES(mutex_);
  // Waits until that fit is over; false when the deadline or the end of the tutor came first.
  bool wait_for(std::uint64_t fit, std::chrono::steady_clock::time_point deadline)
      VCACHE_EXCLUDES(mutex_);
  // Goes back to the model published before the one in use, under a version of its own; false where
  // there is none.
  bool roll_back() VCACHE_EXCLUDES(mutex_);

  // Ends the thread. Idempotent. Waits for a fit under way, of tens of milliseconds.
  void stop() noexcept;
  [[nodiscard]] bool is_stopped() const noexcept VCACHE_EXCLUDES(mutex_);

  // For a fork: no fit is under way between begin and end. The locks of stewards are taken between
  // these two.
  void begin_fork() noexcept VCACHE_ACQUIRE(fitting_) { fitting_.lock(); }
  void lock() noexcept VCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() noexcept VCACHE_RELEASE(mutex_) { mutex_.unlock(); }
  void end_fork() noexcept VCACHE_RELEASE(fitting_) { fitting_.unlock(); }
  // The child's thread is its own.
  void on_child() noexcept VCACHE_REQUIRES(fitting_, mutex_);

 private:
  struct Published {
    TutorOptions::Model model = {};
    std::shared_ptr<const predictor::Mlp> twin = {};
    base::Nanos at{0};
    bool is_adopted = false;
  };

  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}
  void begin() noexcept;
  void study();
  [[nodiscard]] base::Error prepare_learner() VCACHE_REQUIRES(fitting_);
  void add_lessons() VCACHE_REQUIRES(fitting_) VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] Published fit() VCACHE_REQUIRES(fitting_);
  [[nodiscard]] TutorOptions::Model scorer_of(const std::shared_ptr<const predictor::Mlp>& twin)
      VCACHE_REQUIRES(fitting_);
  void publish(Published made) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] bool is_due() const noexcept VCACHE_REQUIRES(fitting_);
  [[nodiscard]] bool waits_to_retry() const noexcept VCACHE_REQUIRES(fitting_);

  static constexpr std::size_t kKeptVersions = 4;

  const TutorOptions options_;
  const base::Clock& clock_;
  const std::function<void()> tend_;
  const std::size_t most_lessons_;

  // Own synchronization.
  std::unique_ptr<base::Keeper> keeper_;
  std::atomic<bool> has_begun_{false};
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::size_t> kept_bytes_{0};

  mutable base::Mutex fitting_;  // taken before any lock of a steward and before mutex_
  std::unique_ptr<predictor::Learner> learner_ VCACHE_GUARDED_BY(fitting_);
  predictor::Trainer* trainer_ VCACHE_GUARDED_BY(fitting_) = nullptr;  // the learner's
  base::Nanos last_fit_ VCACHE_GUARDED_BY(fitting_){0};
  base::Nanos failed_ VCACHE_GUARDED_BY(fitting_){0};  // when no trainer could be made last

  mutable base::Mutex mutex_;  // taken after a steward's
  base::CondVar changed_;
  std::vector<predictor::Example> lessons_ VCACHE_GUARDED_BY(mutex_);
  std::vector<Published> published_ VCACHE_GUARDED_BY(mutex_);  // the newest last
  TutorRecord record_ VCACHE_GUARDED_BY(mutex_);
  std::uint64_t asked_for_ VCACHE_GUARDED_BY(mutex_) = 0;  // a fit of that number
  std::uint64_t attempts_ VCACHE_GUARDED_BY(mutex_) = 0;   // fits that began, or could not
  bool stopped_ VCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace vcache::l1::learning
