#include "predictor/foreign_torch.hpp"

#include <atomic>
#include <new>
#include <string>
#include <utility>

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;

std::atomic<const TorchTable*> used = nullptr;

// Appends to the std::string at `to`; what there is no memory for is left out.
void append(void* to, const char* bytes, std::size_t size) noexcept {
  try {
    static_cast<std::string*>(to)->append(bytes, size);
  } catch (const std::bad_alloc&) {
    static_cast<std::string*>(to)->clear();
  }
}

[[nodiscard]] ByteSink sink_of(std::string& text) noexcept { return {.to = &text, .take = append}; }

// What `call`, given a sink for the text, says of itself.
template <class Call>
Error error_of(Call call) noexcept {
  Error error;
  error.code = static_cast<ErrorCode>(call(sink_of(error.detail)));
  return error;
}

class ForeignTrainer final : public Trainer {
 public:
  ForeignTrainer(const TorchTable& table, void* trainer) noexcept
      : table_(&table), trainer_(trainer) {}
  ~ForeignTrainer() override { table_->free_trainer(trainer_); }

  Error fit(std::span<const float> features, std::span<const Target> targets,
            std::size_t passes) noexcept override {
    return error_of([&](ByteSink error) {
      return table_->fit(trainer_, features.data(), targets.data(), targets.size(), passes, error);
    });
  }

  [[nodiscard]] base::Result<double> loss(std::span<const float> features,
                                          std::span<const Target> targets) const noexcept override {
    double loss = 0;
    Error failed = error_of([&](ByteSink error) {
      return table_->loss(trainer_, features.data(), targets.data(), targets.size(), &loss, error);
    });
    if (!failed.ok()) return failed;
    return loss;
  }

  void weights(std::span<float, Mlp::kWeights> out) const noexcept override {
    table_->weights(trainer_, out.data());
  }

  [[nodiscard]] base::Result<std::string> archive() const noexcept override {
    std::string bytes;
    Error failed =
        error_of([&](ByteSink error) { return table_->archive(trainer_, sink_of(bytes), error); });
    if (failed.ok() && bytes.empty()) failed = {.code = ErrorCode::kInvalid, .detail = "no memory"};
    if (!failed.ok()) return failed;
    return bytes;
  }

 private:
  const TorchTable* table_;
  void* trainer_;
};

class ForeignScorer final : public Predictor {
 public:
  ForeignScorer(const TorchTable& table, void* scorer, std::size_t inputs,
                std::size_t outputs) noexcept
      : table_(&table), scorer_(scorer), inputs_(inputs), outputs_(outputs) {}
  ~ForeignScorer() override { table_->free_scorer(scorer_); }

  [[nodiscard]] std::size_t inputs() const noexcept override { return inputs_; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return outputs_; }
  [[nodiscard]] Error score(std::span<const float> features, std::size_t rows,
                            std::span<float> out) const noexcept override {
    return error_of([&](ByteSink error) {
      return table_->score(scorer_, features.data(), rows, out.data(), error);
    });
  }

 private:
  const TorchTable* table_;
  void* scorer_;
  std::size_t inputs_;
  std::size_t outputs_;
};

Error same(const char* what, std::size_t there, std::size_t here) {
  if (there == here) return {};
  return {.code = ErrorCode::kInvalid,
          .detail = std::string("the module with LibTorch is of another build: its ") + what +
                    " is " + std::to_string(there) + ", expected " + std::to_string(here)};
}

}  // namespace

base::Result<ForeignTorch> ForeignTorch::over(const TorchTable& table) {
  // Of a table of another version or size nothing else may be read.
  Error differs = same("version of the table", table.version, kTorchTableVersion);
  if (differs.ok()) differs = same("size of the table", table.size, sizeof(TorchTable));
  if (differs.ok()) differs = same("number of inputs", table.inputs, kInputs);
  if (differs.ok()) differs = same("number of heads", table.heads, kHeads);
  if (differs.ok()) differs = same("number of weights", table.weight_count, Mlp::kWeights);
  if (!differs.ok()) return differs;
  return ForeignTorch(table);
}

base::Result<std::unique_ptr<Trainer>> ForeignTorch::make_trainer(const TrainerOptions& options,
                                                                  StartWeights start) const {
  const TorchTrainerOptions given = {.batch_size = options.batch_size,
                                     .learning_rate = options.learning_rate,
                                     .seed = options.seed};
  std::string text;
  void* made = table_->make_trainer(&given, start ? start->data() : nullptr, sink_of(text));
  if (made == nullptr) return Error{ErrorCode::kInvalid, std::move(text)};
  return std::unique_ptr<Trainer>(std::make_unique<ForeignTrainer>(*table_, made));
}

base::Result<std::unique_ptr<Predictor>> ForeignTorch::load_scorer(std::string_view bytes,
                                                                   std::size_t batch_size) const {
  std::string text;
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  void* made =
      table_->load_scorer(bytes.data(), bytes.size(), batch_size, &inputs, &outputs, sink_of(text));
  if (made == nullptr) return Error{ErrorCode::kInvalid, std::move(text)};
  return std::unique_ptr<Predictor>(
      std::make_unique<ForeignScorer>(*table_, made, inputs, outputs));
}

void ForeignTorch::use() const noexcept { used.store(table_); }

std::optional<ForeignTorch> ForeignTorch::in_use() noexcept {
  const TorchTable* table = used.load();
  if (table == nullptr) return std::nullopt;
  return ForeignTorch(*table);
}

}  // namespace vcache::predictor
