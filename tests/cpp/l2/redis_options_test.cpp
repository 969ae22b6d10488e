#include "l2/redis_options.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace vcache::l2 {
namespace {

TEST(RedisOptionsTest, DefaultsAreValid) { EXPECT_TRUE(RedisOptions{}.validate().ok()); }

TEST(RedisOptionsTest, EachBadValueIsNamed) {
  struct Case {
    std::string named;
    std::function<void(RedisOptions&)> spoil;
  };
  const std::vector<Case> cases = {
      {"host", [](RedisOptions& o) { o.host = ""; }},
      {"host", [](RedisOptions& o) { o.host = std::string("a\0b", 3); }},
      {"port", [](RedisOptions& o) { o.port = 0; }},
      {"port", [](RedisOptions& o) { o.port = 65536; }},
      {"unix_socket", [](RedisOptions& o) { o.unix_socket = std::string(108, 'a'); }},
      {"db", [](RedisOptions& o) { o.db = -1; }},
      {"pool_size", [](RedisOptions& o) { o.pool_size = 0; }},
      {"timeout", [](RedisOptions& o) { o.timeout = base::Millis(0); }},
      {"connect_timeout", [](RedisOptions& o) { o.connect_timeout = base::Millis(-1); }},
      {"username", [](RedisOptions& o) { o.username = "u"; }},
      {"namespace", [](RedisOptions& o) { o.namespace_name = ""; }},
      {"namespace", [](RedisOptions& o) { o.namespace_name = "a:b"; }},
      {"namespace", [](RedisOptions& o) { o.namespace_name = "a!"; }},
      {"namespace", [](RedisOptions& o) { o.namespace_name = std::string(65, 'a'); }},
      {"max_value", [](RedisOptions& o) { o.max_value = 0; }},
  };
  for (const Case& bad : cases) {
    RedisOptions options;
    bad.spoil(options);
    const base::Error error = options.validate();
    EXPECT_EQ(error.code, base::ErrorCode::kInvalid) << bad.named;
    EXPECT_EQ(error.detail.find(bad.named), 0U) << error.detail;
  }
}

TEST(RedisOptionsTest, APathMakesHostAndPortUnused) {
  RedisOptions options;
  options.unix_socket = "/tmp/redis.sock";
  options.host = "";
  options.port = 0;
  EXPECT_TRUE(options.validate().ok());
}

TEST(RedisOptionsTest, ThePasswordIsNeverTold) {
  RedisOptions options;
  options.password = "canary";
  options.port = -1;
  EXPECT_EQ(options.validate().detail.find("canary"), std::string::npos);
}

}  // namespace
}  // namespace vcache::l2
