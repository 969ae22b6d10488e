#include "l2/codec/xxh3_functions.hpp"

namespace vcache::l2::codec {

const Xxh3& baseline_xxh3() noexcept { return kXxh3; }

}  // namespace vcache::l2::codec
