#include "predictor/torch/table.hpp"

#include <memory>
#include <span>
#include <string_view>

#include "predictor/torch/torch_scorer.hpp"
#include "predictor/torch/torch_trainer.hpp"

namespace vcache::predictor {

namespace {

using base::Error;

std::int32_t told(const Error& error, ByteSink sink) noexcept {
  if (!error.ok()) sink.take(sink.to, error.detail.data(), error.detail.size());
  return static_cast<std::int32_t>(error.code);
}

// The object that was made, for its owner on the other side.
template <class T>
T* given(base::Result<std::unique_ptr<T>> made, ByteSink error) noexcept {
  if (made.ok()) return std::move(made).value().release();
  told(made.error(), error);
  return nullptr;
}

Trainer& trainer_of(void* trainer) noexcept { return *static_cast<Trainer*>(trainer); }
const Trainer& trainer_of(const void* trainer) noexcept {
  return *static_cast<const Trainer*>(trainer);
}

void* make_trainer(const TorchTrainerOptions* options, const float* start,
                   ByteSink error) noexcept {
  StartWeights weights;
  if (start != nullptr) weights.emplace(start, Mlp::kWeights);
  return given(make_torch_trainer({.batch_size = options->batch_size,
                                   .learning_rate = options->learning_rate,
                                   .seed = options->seed},
                                  weights),
               error);
}

void free_trainer(void* trainer) noexcept { delete &trainer_of(trainer); }

std::int32_t fit(void* trainer, const float* features, const Target* targets, std::size_t count,
                 std::size_t passes, ByteSink error) noexcept {
  return told(trainer_of(trainer).fit({features, count * kInputs}, {targets, count}, passes),
              error);
}

std::int32_t loss(const void* trainer, const float* features, const Target* targets,
                  std::size_t count, double* loss, ByteSink error) noexcept {
  const auto found = trainer_of(trainer).loss({features, count * kInputs}, {targets, count});
  if (!found.ok()) return told(found.error(), error);
  *loss = found.value();
  return 0;
}

void weights(const void* trainer, float* out) noexcept {
  trainer_of(trainer).weights(std::span<float, Mlp::kWeights>(out, Mlp::kWeights));
}

std::int32_t archive(const void* trainer, ByteSink bytes, ByteSink error) noexcept {
  const auto written = trainer_of(trainer).archive();
  if (!written.ok()) return told(written.error(), error);
  bytes.take(bytes.to, written.value().data(), written.value().size());
  return 0;
}

void* load_scorer(const char* bytes, std::size_t size, std::size_t batch_size, std::size_t* inputs,
                  std::size_t* outputs, ByteSink error) noexcept {
  Predictor* scorer = given(load_torch_scorer(std::string_view(bytes, size), batch_size), error);
  if (scorer == nullptr) return nullptr;
  *inputs = scorer->inputs();
  *outputs = scorer->outputs();
  return scorer;
}

void free_scorer(void* scorer) noexcept { delete static_cast<Predictor*>(scorer); }

std::int32_t score(const void* scorer, const float* features, std::size_t rows, float* out,
                   ByteSink error) noexcept {
  const auto& predictor = *static_cast<const Predictor*>(scorer);
  return told(predictor.score({features, rows * predictor.inputs()}, rows,
                              {out, rows * predictor.outputs()}),
              error);
}

constexpr TorchTable kTable = {.make_trainer = make_trainer,
                               .free_trainer = free_trainer,
                               .fit = fit,
                               .loss = loss,
                               .weights = weights,
                               .archive = archive,
                               .load_scorer = load_scorer,
                               .free_scorer = free_scorer,
                               .score = score};

}  // namespace

const TorchTable& torch_table() noexcept { return kTable; }

}  // namespace vcache::predictor
