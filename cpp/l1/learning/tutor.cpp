#include "l1/learning/tutor.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <utility>

#include "predictor/watched.hpp"

namespace vcache::l1::learning {

namespace {

using predictor::Learner;
using predictor::Mlp;

constexpr base::Millis kUnasked = std::chrono::hours(24);  // the thread is woken when it is wanted
constexpr std::chrono::minutes kRetry{1};                  // after a trainer could not be made

}  // namespace

Tutor::Tutor(TutorOptions options, const base::Clock& clock, std::function<void()> tend)
    : options_(std::move(options)),
      clock_(clock),
      tend_(std::move(tend)),
      most_lessons_(std::clamp(options_.examples / 4, Learner::kFirst, 2 * Learner::kPeriod)),
      keeper_(std::make_unique<base::Keeper>()) {}

Tutor::~Tutor() { stop(); }

void Tutor::take(std::span<const predictor::Example> lessons) {
  bool are_enough = false;
  {
    const base::MutexLock lock(mutex_);
    const std::size_t taken = std::min(lessons.size(), most_lessons_ - lessons_.size());
    const auto fitting = lessons.first(taken);
    lessons_.insert(lessons_.end(), fitting.begin(), fitting.end());
    record_.lessons += taken;
    record_.dropped += lessons.size() - taken;
    are_enough = lessons_.size() >= Learner::kFirst;
  }
  begin();
  if (are_enough) keeper_->wake(*this);
}

void Tutor::on_half_full() noexcept {
  if (has_begun_.load(std::memory_order_acquire)) keeper_->wake(*this);
}

void Tutor::begin() noexcept {
  if (has_begun_.load(std::memory_order_acquire)) return;
  if (keeper_->add(*this)) has_begun_.store(true, std::memory_order_release);
}

base::Millis Tutor::run() noexcept {
  tend_();
  try {
    study();
  } catch (const std::exception&) {
    const base::MutexLock lock(mutex_);
    record_.problem = {.code = base::ErrorCode::kBusy, .detail = "out of memory"};
    attempts_ = asked_for_;
    changed_.notify_all();
  }
  return kUnasked;
}

// Adds what was taken, and fits where that is due.
void Tutor::study() {
  const base::MutexLock turn(fitting_);
  bool is_asked = false;
  {
    const base::MutexLock lock(mutex_);
    is_asked = asked_for_ > attempts_;
    if (!is_asked && (lessons_.size() < Learner::kFirst || waits_to_retry())) return;
  }
  Published made;
  base::Error problem = prepare_learner();
  if (problem.ok()) {
    add_lessons();
    if (is_due() || (is_asked && learner_->size() >= Learner::kFirst)) {
      made = fit();
    } else if (is_asked) {
      problem = {.code = base::ErrorCode::kInvalid, .detail = "too little was seen to learn from"};
    } else {
      return;
    }
  }
  const base::MutexLock lock(mutex_);
  record_.problem = std::move(problem);
  if (learner_ != nullptr) record_.fits = learner_->record();
  if (made.twin != nullptr) publish(std::move(made));
  if (is_asked) attempts_ = asked_for_;
  changed_.notify_all();
}

void Tutor::add_lessons() {
  std::vector<predictor::Example> lessons;
  {
    const base::MutexLock lock(mutex_);
    lessons.swap(lessons_);
  }
  for (const predictor::Example& lesson : lessons) learner_->add(lesson);
  kept_bytes_.store(learner_->memory_bytes(), std::memory_order_relaxed);
}

// Without a model where the one in use is better.
Tutor::Published Tutor::fit() {
  Published made{.twin = learner_->learn()};
  if (made.twin != nullptr) made.model = scorer_of(made.twin);
  last_fit_ = made.at = clock_.steady();
  return made;
}

bool Tutor::waits_to_retry() const noexcept {
  return failed_.count() != 0 && clock_.steady() - failed_ < kRetry;
}

bool Tutor::is_due() const noexcept {
  return learner_->is_due() &&
         (last_fit_.count() == 0 || clock_.steady() - last_fit_ >= options_.interval);
}

base::Error Tutor::prepare_learner() {
  if (learner_ != nullptr) return {};
  std::array<float, Mlp::kWeights> weights{};
  predictor::StartWeights start;
  if (options_.start != nullptr) {
    options_.start->weights(weights);
    start.emplace(weights);
  }
  auto trainer = options_.make_trainer(start);
  if (!trainer.ok()) {
    failed_ = clock_.steady();
    return trainer.error();
  }
  trainer_ = trainer.value().get();
  learner_ = std::make_unique<Learner>(std::move(trainer).value(), options_.start, options_.seed,
                                       options_.examples);
  return {};
}

// The archive's scorer, where it says what the twin says; else the twin.
TutorOptions::Model Tutor::scorer_of(const std::shared_ptr<const Mlp>& twin) {
  if (!options_.load_scorer) return twin;
  const auto archive = trainer_->archive();
  if (!archive.ok()) return twin;
  auto scorer = options_.load_scorer(archive.value());
  if (!scorer.ok() || !predictor::agree_on_probes(*scorer.value(), *twin)) return twin;
  return std::make_shared<predictor::Watched>(std::move(scorer).value());
}

void Tutor::publish(Published made) {
  if (published_.size() == kKeptVersions) published_.erase(published_.begin());
  record_.published = made.at;
  published_.push_back(std::move(made));
  version_.store(++record_.version, std::memory_order_release);
}

bool Tutor::roll_back() {
  const base::MutexLock lock(mutex_);
  if (published_.size() < 2) return false;
  published_.pop_back();
  record_.published = published_.back().at;
  version_.store(++record_.version, std::memory_order_release);
  return true;
}

Tutor::Online Tutor::online() const {
  const base::MutexLock lock(mutex_);
  if (published_.empty()) return {};
  return {.model = published_.back().model, .version = record_.version};
}

Tutor::Newest Tutor::newest() const {
  const base::MutexLock lock(mutex_);
  if (published_.empty()) return {};
  const Published& last = published_.back();
  return {.twin = last.twin,
          .version = record_.version,
          .is_adopted = last.is_adopted,
          .loss = record_.fits.loss};
}

bool Tutor::adopt(const std::shared_ptr<const Mlp>& twin) {
  const base::MutexLock turn(fitting_);
  if (learner_ != nullptr) {
    if (!learner_->is_no_worse(*twin)) return false;
    learner_->take_over(twin);
  }
  const base::MutexLock lock(mutex_);
  publish({.model = twin, .twin = twin, .at = clock_.steady(), .is_adopted = true});
  return true;
}

TutorRecord Tutor::record() const {
  const base::MutexLock lock(mutex_);
  return record_;
}

std::uint64_t Tutor::retrain() {
  std::uint64_t fit = 0;
  {
    const base::MutexLock lock(mutex_);
    fit = asked_for_ = attempts_ + 1;
  }
  begin();
  keeper_->wake(*this);
  return fit;
}

bool Tutor::wait_for(std::uint64_t fit, std::chrono::steady_clock::time_point deadline) {
  const base::MutexLock lock(mutex_);
  while (attempts_ < fit && !stopped_) {
    if (!changed_.wait_until(mutex_, deadline)) break;
  }
  return attempts_ >= fit;
}

void Tutor::stop() noexcept {
  keeper_->stop();
  const base::MutexLock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

bool Tutor::is_stopped() const noexcept {
  const base::MutexLock lock(mutex_);
  return stopped_;
}

// The parent's keeper is left as it lies: nobody knows in what state its thread was. Without memory
// for another one the child learns nothing.
void Tutor::on_child() noexcept {
  try {
    auto own = std::make_unique<base::Keeper>();
    if (stopped_) own->stop();
    [[maybe_unused]] const base::Keeper* const parents = keeper_.release();
    keeper_ = std::move(own);
    has_begun_.store(false, std::memory_order_release);
  } catch (const std::bad_alloc&) {
    stopped_ = true;
  }
}

}  // namespace vcache::l1::learning
