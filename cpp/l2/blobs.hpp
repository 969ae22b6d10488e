#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace vcache::l2 {

// Bytes of the namespace's own under a name, which all processes share. Thread-safe. No call
// outlasts the configured timeout.
class Blobs {
 public:
  Blobs() = default;
  virtual ~Blobs() = default;
  Blobs(const Blobs&) = delete;
  Blobs& operator=(const Blobs&) = delete;

  // The first `most` bytes; empty where there is no blob. Requires: most > 0.
  [[nodiscard]] virtual base::Error read(std::string_view name, std::size_t most,
                                         std::string& bytes) noexcept = 0;
  // Requires, as for replace(): bytes is not empty; lifetime > 0.
  [[nodiscard]] virtual base::Error write(std::string_view name, std::string_view bytes,
                                          base::Millis lifetime) noexcept = 0;
  // Writes where the blob is what was expected (empty: there is none), in one step; else nothing,
  // and `replaced` is false. Not sent twice: where the answer is lost, who asked cannot know.
  [[nodiscard]] virtual base::Error replace(std::string_view name, std::string_view expected,
                                            std::string_view bytes, base::Millis lifetime,
                                            bool& replaced) noexcept = 0;
  [[nodiscard]] virtual base::Error erase(std::string_view name) noexcept = 0;
};

// Where no tier is shared: every call is kClosed.
[[nodiscard]] Blobs& no_blobs() noexcept;

}  // namespace vcache::l2
