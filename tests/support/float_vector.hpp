#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "l1/l1_cache.hpp"

namespace vcache::testing {

// A vector of `width` floats, all `fill`.
class Vector {
 public:
  Vector(std::size_t width, float fill) : data_(width, fill) {}
  [[nodiscard]] base::ValueView view() const {
    base::ValueView view{.kind = base::ValueKind::kVector,
                         .dtype = base::DType::kFloat32,
                         .shape = {.ndim = 1},
                         .payload = std::as_bytes(std::span(data_))};
    view.shape.dims[0] = static_cast<std::uint32_t>(data_.size());
    return view;
  }

 private:
  std::vector<float> data_;
};

// The first float of an entry.
[[nodiscard]] inline float first_of(const l1::EntryRef& entry) {
  float value = 0;
  std::memcpy(&value, entry->payload().data(), sizeof value);
  return value;
}

}  // namespace vcache::testing
