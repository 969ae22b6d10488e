#include "l2/codec/keyring.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vcache::l2::codec {
namespace {

base::Result<std::shared_ptr<const Keyring>> ring_of(const std::vector<std::string>& keys) {
  std::vector<base::ByteView> views;
  for (const std::string& key : keys) views.push_back(std::as_bytes(std::span(key)));
  return Keyring::make(views);
}

TEST(KeyringTest, KeepsItsKeysInOrder) {
  const std::string one(32, 'a');
  const std::string two(32, 'b');
  const auto ring = ring_of({one, two});
  ASSERT_TRUE(ring.ok());
  const std::vector<Key>& keys = ring.value()->keys();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_TRUE(std::ranges::equal(keys[0].bytes, std::as_bytes(std::span(one))));
  EXPECT_TRUE(std::ranges::equal(keys[1].bytes, std::as_bytes(std::span(two))));
  EXPECT_NE(keys[0].id, keys[1].id);
}

// printf 'vcache key id%032d' 0 | sha256sum
TEST(KeyringTest, TheIdIsTheBeginningOfAHash) {
  const auto ring = ring_of({std::string(32, '0')});
  ASSERT_TRUE(ring.ok());
  const KeyId expected = {std::byte{0x0B}, std::byte{0x07}, std::byte{0x17}, std::byte{0x77}};
  EXPECT_EQ(ring.value()->keys()[0].id, expected);
}

TEST(KeyringTest, ErrorsNameWhatIsAllowedAndShowNoKey) {
  const std::string secret(31, 's');
  for (const auto& keys : {std::vector<std::string>{}, std::vector<std::string>{secret},
                           std::vector<std::string>(17, std::string(32, 's'))}) {
    const auto ring = ring_of(keys);
    ASSERT_FALSE(ring.ok());
    EXPECT_EQ(ring.error().code, base::ErrorCode::kInvalid);
    EXPECT_NE(ring.error().detail.find("encryption_key"), std::string::npos);
    EXPECT_EQ(ring.error().detail.find("ss"), std::string::npos);
  }
}

}  // namespace
}  // namespace vcache::l2::codec
