#pragma once

#include <cstdint>

#include "predictor/features.hpp"

namespace vcache::predictor {

// An entry as it was once judged, and whether its key was asked for within one horizon.
struct Example {
  Snapshot snapshot;
  float weight = 1;  // of the example, where not all entries were as likely to be taken
  std::uint8_t head = 0;
  bool is_accessed = false;
};

}  // namespace vcache::predictor
