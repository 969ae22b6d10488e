#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/hash.hpp"
#include "base/value.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

// The UTF-8 of a str; nothing for text that has none: a lone surrogate.
[[nodiscard]] std::optional<std::string_view> utf8_of(PyObject* text) noexcept;

// The digest of a vector that cache::digest_row() is quick about.
[[nodiscard]] std::optional<base::Digest128> quick_digest(PyObject* value,
                                                          std::optional<int> precision) noexcept;

// A key as `_keying.Encoder` writes it, of the arguments that it is quick about: str in ASCII, int,
// and vectors of float32 or float64.
class KeyWriter {
 public:
  explicit KeyWriter(std::optional<int> precision) noexcept : precision_(precision) {}

  // Each: false where that is not all of what the encoder writes, or does not fit.
  [[nodiscard]] bool text(std::string_view text) noexcept;
  // An argument that others follow, and the last one.
  [[nodiscard]] bool part(PyObject* value) noexcept;
  [[nodiscard]] bool last(PyObject* value) noexcept;

  [[nodiscard]] std::string_view key() const noexcept { return {key_.data(), size_}; }

 private:
  [[nodiscard]] bool number(PyObject* value) noexcept;
  [[nodiscard]] bool vector(PyObject* value) noexcept;

  std::optional<int> precision_;
  std::size_t size_ = 0;
  std::array<char, base::kMaxKeyBytes> key_;
};

}  // namespace vcache::bindings
