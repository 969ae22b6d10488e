#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "predictor/predictor.hpp"
#include "predictor/torch_table.hpp"
#include "predictor/trainer.hpp"

namespace vcache::predictor {

// LibTorch in another module, by its table of functions. A plain value; thread-safe.
class ForeignTorch {
 public:
  // An error where the table is of another version, or of a model of another shape.
  // Requires: the table outlives this and all it makes.
  [[nodiscard]] static base::Result<ForeignTorch> over(const TorchTable& table);

  [[nodiscard]] base::Result<std::unique_ptr<Trainer>> make_trainer(const TrainerOptions& options,
                                                                    StartWeights start) const;
  // The TorchScript module in `bytes`.
  [[nodiscard]] base::Result<std::unique_ptr<Predictor>> load_scorer(std::string_view bytes,
                                                                     std::size_t batch_size) const;

  // Makes it the process' own, for the life of the process.
  void use() const noexcept;
  // The process' own; nothing before a module with LibTorch was loaded and told of.
  [[nodiscard]] static std::optional<ForeignTorch> in_use() noexcept;

 private:
  explicit ForeignTorch(const TorchTable& table) noexcept : table_(&table) {}

  const TorchTable* table_;
};

}  // namespace vcache::predictor
