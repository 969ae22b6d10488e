#pragma once

#include <cstddef>
#include <span>

#include "base/result.hpp"

namespace vcache::predictor {

// Turns features of entries into probabilities. Thread-safe: any number of threads may score at
// once. Never throws, and holds no lock while it computes.
class Predictor {
 public:
  Predictor() = default;
  virtual ~Predictor() = default;
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  [[nodiscard]] virtual std::size_t inputs() const noexcept = 0;   // features of a row
  [[nodiscard]] virtual std::size_t outputs() const noexcept = 0;  // probabilities of a row

  // Both matrices are in C order: `rows` by inputs(), `rows` by outputs(). After an error what
  // `out` holds is unspecified.
  // Requires: the spans are of exactly these sizes.
  virtual base::Error score(std::span<const float> features, std::size_t rows,
                            std::span<float> out) const noexcept = 0;
};

}  // namespace vcache::predictor
