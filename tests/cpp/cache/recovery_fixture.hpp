#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/recovery.hpp"
#include "support/ear.hpp"
#include "support/fake_clock.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {

// A queue of writes over a tier in a map.
class RecoveryTest : public ::testing::Test {
 protected:
  // Sends all that waits, while some of it is taken.
  void replay(Recovery& recovery) {
    while (recovery.run() == base::Millis(0)) {
    }
  }
  void replay() { replay(recovery_); }
  [[nodiscard]] std::unique_ptr<l2::L2> hand_over() {
    auto map = std::make_unique<testing::MapL2>();
    redis_ = map.get();
    return map;
  }
  [[nodiscard]] l2::Status status() { return recovery_.status(false); }
  base::Error erase_matching(std::string_view pattern, std::vector<std::string>& erased) {
    l2::L2::Progress progress;
    return recovery_.erase_matching(pattern, erased, progress);
  }

  testing::FakeClock clock_;
  testing::MapL2* redis_ = nullptr;
  testing::Ear ear_;
  Recovery recovery_{hand_over(), clock_, {.keys = 100, .bytes = 100'000}, base::Millis(100), ear_};
};

}  // namespace vcache::cache
