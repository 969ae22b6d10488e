#include "predictor/learner.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/random.hpp"

namespace vcache::predictor {

namespace {

constexpr std::size_t kFirstPasses = 6;
constexpr std::size_t kHeldOut = 10;  // one in so many, the newest
constexpr double kLeastProbability = 1e-6;

}  // namespace

Learner::Learner(std::unique_ptr<Trainer> trainer, std::shared_ptr<const Mlp> start,
                 std::uint64_t seed, std::size_t kept)
    : trainer_(std::move(trainer)), model_(std::move(start)), random_(seed), kept_(kept) {
  ring_.reserve(kept_);
}

void Learner::add(const Example& example) {
  if (ring_.size() < kept_) {
    ring_.push_back(example);
  } else {
    ring_[next_] = example;
    next_ = next_ + 1 < kept_ ? next_ + 1 : 0;
  }
  ++since_;
}

bool Learner::is_due() const noexcept { return since_ >= (record_.fits == 0 ? kFirst : kPeriod); }

std::shared_ptr<const Mlp> Learner::learn() {
  const std::size_t passes = record_.fits == 0 ? kFirstPasses : 1;
  const Batch batch = fitting();
  since_ = 0;
  ++record_.fits;
  if (!trainer_->fit(batch.features, batch.targets, passes).ok()) {
    ++record_.failed;
    return nullptr;
  }
  std::shared_ptr<const Mlp> model = fitted();
  const Batch unseen = newest();
  const Judgement is = judge(*model, unseen);
  if (model_ != nullptr) {
    const Judgement was = judge(*model_, unseen);
    if (is.loss > was.loss) {
      ++record_.refused;
      record_.loss = was.loss;
      record_.accuracy = was.accuracy;
      return nullptr;
    }
  }
  ++record_.published;
  record_.loss = is.loss;
  record_.accuracy = is.accuracy;
  model_ = model;
  return model;
}

bool Learner::is_no_worse(const Mlp& model) const {
  const Batch unseen = newest();
  if (model_ == nullptr || unseen.targets.empty()) return true;
  return judge(model, unseen).loss <= judge(*model_, unseen).loss;
}

const Example& Learner::at(std::size_t age) const noexcept {
  const std::size_t place = next_ + age;
  return ring_[place < ring_.size() ? place : place - ring_.size()];
}

void Learner::take(Batch& batch, const Example& example) {
  const std::size_t row = batch.features.size();
  batch.features.resize(row + kInputs);
  write_features(example.snapshot, Inputs(&batch.features[row], kInputs));
  batch.targets.push_back(
      {.label = example.is_accessed ? 1.0F : 0.0F, .weight = example.weight, .head = example.head});
}

// The first time all, later a random half.
Learner::Batch Learner::fitting() {
  const std::size_t old = ring_.size() - ring_.size() / kHeldOut;
  const std::size_t count = record_.fits == 0 ? old : (old + 1) / 2;
  Batch batch;
  batch.features.reserve(count * kInputs);
  batch.targets.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    take(batch, at(count == old ? i : base::random_below(random_, old)));
  }
  return batch;
}

Learner::Batch Learner::newest() const {
  Batch batch;
  for (std::size_t age = ring_.size() - ring_.size() / kHeldOut; age < ring_.size(); ++age) {
    take(batch, at(age));
  }
  return batch;
}

Learner::Judgement Learner::judge(const Mlp& model, const Batch& batch) {
  std::vector<float> heads(batch.targets.size() * kHeads);
  (void)model.score(batch.features, batch.targets.size(), heads);
  Judgement judgement;
  double all = 0;
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    const Target& target = batch.targets[i];
    const double p = std::clamp(static_cast<double>(heads[i * kHeads + target.head]),
                                kLeastProbability, 1 - kLeastProbability);
    const bool is_accessed = target.label > 0.5F;
    const auto weight = static_cast<double>(target.weight);
    all += weight;
    judgement.loss -= weight * std::log(is_accessed ? p : 1 - p);
    judgement.accuracy += (p >= 0.5) == is_accessed ? weight : 0;
  }
  judgement.loss /= std::max(all, kLeastProbability);
  judgement.accuracy /= std::max(all, kLeastProbability);
  return judgement;
}

// Weights of a fit without an error are finite.
std::shared_ptr<const Mlp> Learner::fitted() {
  std::array<float, Mlp::kWeights> weights{};
  trainer_->weights(weights);
  return Mlp::from_weights(weights).value();
}

std::size_t Learner::memory_bytes() const noexcept { return ring_.size() * sizeof(Example); }

}  // namespace vcache::predictor
