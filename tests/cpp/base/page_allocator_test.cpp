#include "base/page_allocator.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace vcache::base {
namespace {

struct alignas(64) Line {
  std::array<std::byte, 64> bytes{};
};

TEST(PageAllocatorTest, KeepsTheAlignmentOfTheType) {
  Table<Line> lines;
  for (int i = 0; i < 2000; ++i) {  // from the heap into pages of its own
    lines.emplace_back();
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(lines.data()) % alignof(Line), 0U) << lines.size();
  }
}

}  // namespace
}  // namespace vcache::base
