#include "cache/vector_math.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>
#include <xtensor/xadapt.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xnorm.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "cache/round_numbers.hpp"

namespace vcache::cache {

namespace {

std::size_t first_non_finite(std::span<const double> values) {
  std::size_t i = 0;
  while (i < values.size() && std::isfinite(values[i])) ++i;
  return i;
}

// From here on every double is a whole number.
constexpr double kWhole = 0x1p53;

// Rounded, with negative zeros made positive. A value with no digits after that decimal stays; so
// does one that the scale takes out of range.
xt::xtensor<double, 1> canonical(std::span<const double> values, std::optional<int> precision) {
  const auto view = xt::adapt(values.data(), values.size(), xt::no_ownership(),
                              std::array<std::size_t, 1>{values.size()});
  if (!precision) return view + 0.0;
  const double scale = std::pow(10.0, *precision);
  const xt::xtensor<double, 1> scaled = view * scale;
  return xt::where(xt::abs(scaled) < kWhole, xt::rint(scaled) / scale, view) + 0.0;
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
std::optional<base::Digest128> digest_of_row(std::span<const T> row, std::optional<int> precision) {
  if (!precision || *precision < 0 || *precision > kMaxPrecision) return std::nullopt;
  if (row.size() > kMaxQuickRow) return std::nullopt;
  struct {
    std::size_t extent;
    std::array<double, kMaxQuickRow> values;
  } hashed;
  static_assert(offsetof(decltype(hashed), values) == sizeof(std::size_t));
  hashed.extent = row.size();
  if (!round_numbers(row.data(), row.size(), *precision, hashed.values.data())) {
    return std::nullopt;
  }
  const std::size_t size = sizeof(std::size_t) + row.size() * sizeof(double);
  return base::digest128(std::as_bytes(std::span(&hashed, 1)).first(size));
}

}  // namespace

std::optional<base::Digest128> digest_row(std::span<const float> row,
                                          std::optional<int> precision) {
  return digest_of_row(row, precision);
}

std::optional<base::Digest128> digest_row(std::span<const double> row,
                                          std::optional<int> precision) {
  return digest_of_row(row, precision);
}

base::Result<base::Digest128> digest_vector(std::span<const double> values,
                                            std::span<const std::size_t> shape,
                                            std::optional<int> precision) {
  const std::size_t bad = first_non_finite(values);
  if (bad < values.size()) {
    return base::Error{base::ErrorCode::kInvalid, "element " + std::to_string(bad) + " is " +
                                                      std::to_string(values[bad]) +
                                                      ": allowed are finite numbers"};
  }
  const auto rounded = canonical(values, precision);
  const std::vector<std::size_t> extents(shape.begin(), shape.end());
  std::vector<std::byte> bytes;
  bytes.reserve((values.size() + extents.size()) * sizeof(double));
  append(bytes, std::as_bytes(std::span(extents)));
  append(bytes, std::as_bytes(std::span(rounded.data(), rounded.size())));
  return base::digest128(bytes);
}

void normalize_rows(std::span<float> matrix, std::size_t width) {
  if (width == 0) return;
  const std::array<std::size_t, 2> shape{matrix.size() / width, width};
  auto rows = xt::adapt(matrix.data(), matrix.size(), xt::no_ownership(), shape);
  for (std::size_t i = 0; i < shape[0]; ++i) {
    auto row = xt::view(rows, i, xt::all());
    const double length = std::sqrt(xt::sum(xt::square(xt::cast<double>(row)))());
    if (length > 0) xt::noalias(row) = xt::cast<float>(xt::cast<double>(row) / length);
  }
}

}  // namespace vcache::cache
