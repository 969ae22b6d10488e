#include "base/tags.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vcache::base {
namespace {

ByteView bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(TagsTest, ComeBackAsTheyWereEncoded) {
  const std::string longest(kMaxTagBytes, 'x');
  const std::vector<std::string_view> tags = {"doc:42", std::string_view("\0\r\n", 3), longest};
  const std::string encoded = encode_tags(tags);
  ASSERT_TRUE(are_tags(bytes_of(encoded)));
  EXPECT_EQ(decode_tags(bytes_of(encoded)), tags);
  EXPECT_TRUE(are_tags({}));
  EXPECT_TRUE(decode_tags({}).empty());
}

TEST(TagsTest, BytesOfAnotherFormAreNone) {
  const std::vector<std::string_view> tags = {"ab", "c"};
  const std::string encoded = encode_tags(tags);
  for (std::size_t cut = 1; cut < encoded.size(); ++cut) {
    if (cut == 4) continue;  // where the second tag begins
    EXPECT_FALSE(are_tags(bytes_of(encoded.substr(0, cut)))) << cut;
  }
  using namespace std::string_literals;
  EXPECT_FALSE(are_tags(bytes_of("\0\0"s))) << "an empty tag";
  EXPECT_FALSE(are_tags(bytes_of("\x01\x01"s + std::string(257, 'x')))) << "one of 257 bytes";
  std::string many;
  for (std::size_t i = 0; i <= kMaxTags; ++i) many += "\x01\0x"s;
  EXPECT_FALSE(are_tags(bytes_of(many)));
  EXPECT_TRUE(are_tags(bytes_of(many.substr(3))));
}

}  // namespace
}  // namespace vcache::base
