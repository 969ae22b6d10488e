#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.hpp"

namespace vcache::predictor {

[[nodiscard]] inline base::Error invalid(std::string detail) {
  return {.code = base::ErrorCode::kInvalid, .detail = std::move(detail)};
}

// What `work` returns, or what it threw as an error that begins with `what`.
template <class Work>
std::invoke_result_t<Work> caught(const char* what, Work work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    return invalid(std::string(what) + error.what_without_backtrace());
  } catch (const std::exception& error) {
    return invalid(std::string(what) + error.what());
  }
}

}  // namespace vcache::predictor
