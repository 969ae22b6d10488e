#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vcache::l1 {

// A key and how often it was hit.
struct HotKey {
  std::string key;
  std::uint32_t hits = 0;
};

// Of all keys that are offered, those hit most, and that at all. Not thread-safe.
class Hottest {
 public:
  explicit Hottest(std::size_t most) : most_(most) {}

  // Whether a key of so many hits is among them.
  [[nodiscard]] bool takes(std::uint32_t hits) const noexcept {
    return hits > 0 && most_ > 0 && (found_.size() < most_ || hits > found_.front().hits);
  }
  // Requires: takes(hits). Throws std::bad_alloc.
  void add(std::string_view key, std::uint32_t hits);
  // Hottest first, each key once, with the most hits that it was offered with.
  [[nodiscard]] std::vector<HotKey> take() &&;

 private:
  const std::size_t most_;
  std::vector<HotKey> found_;  // a heap, the coldest first
};

}  // namespace vcache::l1
