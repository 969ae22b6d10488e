#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "l2/redis_l2.hpp"
#include "support/fake_clock.hpp"
#include "support/l2_calls.hpp"
#include "support/redis_server.hpp"

namespace vcache::l2 {

// A server of its own for each test, and clients of it.
class RedisFixture : public ::testing::Test {
 protected:
  [[nodiscard]] RedisOptions options() const {
    RedisOptions out;
    out.port = server_.port();
    out.namespace_name = "ns";
    out.timeout = base::Millis(2000);
    out.connect_timeout = base::Millis(1000);
    out.tracking = false;  // its connection would meet faults that are meant for others
    return out;
  }
  [[nodiscard]] std::unique_ptr<L2> connect(RedisOptions with) const {
    return make_redis_l2(std::move(with), clock_);
  }
  [[nodiscard]] std::unique_ptr<L2> connect() const { return connect(options()); }

  static std::uint64_t errors(L2& tier, const std::string& kind) {
    const Status status = tier.status(false);
    const auto found = status.errors.find(kind);
    return found == status.errors.end() ? 0 : found->second;
  }

  mutable testing::FakeClock clock_;
  testing::RedisServer server_;
};

}  // namespace vcache::l2
