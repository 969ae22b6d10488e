#include "l2/cluster/lookout.hpp"

#include <chrono>
#include <exception>

namespace vcache::l2::cluster {

namespace {

using Clock = client::Deadline::clock;

// For how long after a look that failed nobody waits for the next one.
constexpr std::chrono::milliseconds kFailureHolds{500};

}  // namespace

void Lookout::want() noexcept {
  if (wanted_.exchange(true)) return;
  if (keeper_.add(chore_)) return;
  (void)chore_.run();
  wanted_.store(false);  // nobody looks if that did not: the next one who wants it does
}

base::Error Lookout::await(client::Deadline deadline, const std::function<bool()>& known,
                           const char* unknown) noexcept {
  if (known()) return {};
  bool wait = false;
  std::uint64_t before = 0;
  {
    const base::MutexLock lock(mutex_);
    wait = Clock::now() - failed_ >= kFailureHolds;
    before = looks_;
  }
  want();
  {
    const base::MutexLock lock(mutex_);
    while (wait && looks_ == before && Clock::now() < deadline) {
      looked_.wait_until(mutex_, deadline);
    }
  }
  if (known()) return {};
  try {
    return {base::ErrorCode::kConnect, unknown};
  } catch (const std::exception&) {
    return {base::ErrorCode::kConnect};
  }
}

void Lookout::end_look(bool succeeded) noexcept {
  const base::MutexLock lock(mutex_);
  ++looks_;
  if (!succeeded) failed_ = Clock::now();
  looked_.notify_all();
}

}  // namespace vcache::l2::cluster
