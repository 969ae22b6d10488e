#pragma once

#include <exception>

#include "base/result.hpp"

namespace vcache::base {

// What `call` returns, which is an Error; kServer where it throws, as it may when memory is short.
template <class Call>
[[nodiscard]] Error guarded(Call&& call) noexcept {
  try {
    return call();
  } catch (const std::exception&) {
    return {ErrorCode::kServer};
  }
}

}  // namespace vcache::base
