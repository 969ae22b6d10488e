#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/keeper.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::cluster {

// Has a chore look for what calls cannot do without, and has those calls wait for it. The keeper
// runs the chore; where there is none, whoever wants a look does. Thread-safe.
class Lookout {
 public:
  // Both outlive it. The chore is added when the first look is wanted.
  Lookout(base::Keeper& keeper, base::Chore& chore) noexcept : keeper_(keeper), chore_(chore) {}

  // Something is wrong that a look may explain.
  void want() noexcept;
  // True until begin_look().
  [[nodiscard]] bool wanted() const noexcept { return wanted_.load(); }
  // Wants a look and waits for its end, but not where the last one has failed just now. Not at all
  // where `known` is true; else an error with this text where it is not true then.
  [[nodiscard]] base::Error await(client::Deadline deadline, const std::function<bool()>& known,
                                  const char* unknown) noexcept VCACHE_EXCLUDES(mutex_);

  // For the chore. False: another thread runs it; else that is over with leave().
  [[nodiscard]] bool enter() noexcept { return !running_.exchange(true); }
  void leave() noexcept { running_.store(false); }
  void begin_look() noexcept { wanted_.store(false); }
  void end_look(bool succeeded) noexcept VCACHE_EXCLUDES(mutex_);

 private:
  // Own synchronization.
  base::Keeper& keeper_;
  base::Chore& chore_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> running_{false};

  base::Mutex mutex_;
  base::CondVar looked_;
  std::uint64_t looks_ VCACHE_GUARDED_BY(mutex_) = 0;
  client::Deadline failed_ VCACHE_GUARDED_BY(mutex_){};  // when the last look did
};

}  // namespace vcache::l2::cluster
