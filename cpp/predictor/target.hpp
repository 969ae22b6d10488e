#pragma once

#include <cstdint>
#include <type_traits>

namespace vcache::predictor {

// What is to be learned of an entry: the answer that one output should have given. Plain C, since
// it crosses from module to module.
struct Target {
  float label;         // 0: the key was not asked for within the head's horizon; 1: it was
  float weight;        // not negative
  std::uint32_t head;  // an output, of kHeads
};

static_assert(std::is_trivial_v<Target> && std::is_standard_layout_v<Target>);
static_assert(sizeof(Target) == 12);

}  // namespace vcache::predictor
