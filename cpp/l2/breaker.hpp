#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string_view>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace vcache::l2 {

// Keeps requests away from a server that does not answer. Closed: all pass. Open: none. When the
// pause is over, one probe at a time is due (half-open): a good one closes the breaker, a bad one
// starts the next pause, and one that never reports is replaced after a while. Whoever has somebody
// to send probes says so; else the next request is the probe. Thread-safe.
class Breaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  enum class Verdict : std::uint8_t {
    kGood,
    kSlow,         // answered, but late or with a doubtful value: only the share counts
    kBad,          // no usable answer
    kCredentials,  // refused for want of them: long pause
    kNone,         // the server was not asked after all
  };

  struct Options {
    std::uint32_t consecutive = 5;   // bad calls in a row that open it
    std::uint32_t least_calls = 20;  // within the window, before the share counts
    double bad_share = 0.5;          // of bad and slow calls in the window that opens it
    base::Millis pause{500};
    double jitter = 0.5;  // share of the pause by which it varies
    base::Millis credentials_pause{30'000};
    base::Millis probe_limit{1'000};  // after which another probe may go; more than a call takes
  };

  // Permission for one call. Reports kNone when destroyed without a verdict.
  class Permit {
   public:
    Permit() = default;
    Permit(Breaker& breaker, std::uint64_t epoch) noexcept : breaker_(&breaker), epoch_(epoch) {}
    Permit(Permit&& other) noexcept;
    Permit& operator=(Permit&& other) noexcept;
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() { report(Verdict::kNone); }

    // False: the call must not be made.
    explicit operator bool() const noexcept { return breaker_ != nullptr; }
    void report(Verdict verdict) noexcept;

   private:
    Breaker* breaker_ = nullptr;
    std::uint64_t epoch_ = 0;
  };

  // Is told when the breaker opens and when it closes again, and which verdict did it, by the
  // thread that reported it and without a lock. Throws nothing.
  using Watcher = std::function<void(State, Verdict)>;

  Breaker(const base::Clock& clock, const Options& options, std::uint64_t seed,
          Watcher watcher = {});

  // For a request.
  [[nodiscard]] Permit allow() noexcept;
  // For the probe that is due; at no other time.
  [[nodiscard]] Permit allow_probe() noexcept;
  // True while allow() lets nothing through; costs a load.
  [[nodiscard]] bool refuses() const noexcept { return refuses_.load(std::memory_order_relaxed); }
  // In how long a probe is due; nothing while the breaker is closed.
  [[nodiscard]] std::optional<base::Nanos> next_probe() const noexcept;
  // From now on requests are no probes, or are again.
  void leave_probes_to_others() noexcept { let_requests_probe(false); }
  void let_requests_probe() noexcept { let_requests_probe(true); }

  [[nodiscard]] State state() const noexcept;
  // How often it opened while it was closed.
  [[nodiscard]] std::uint64_t openings() const noexcept;

 private:
  void let_requests_probe(bool they_do) noexcept;

  static constexpr std::size_t kSlots = 10;
  static constexpr base::Nanos kSlotLength = std::chrono::seconds(1);

  struct Slot {
    std::int64_t second = -1;
    std::uint32_t calls = 0;
    std::uint32_t bad = 0;
  };

  [[nodiscard]] Permit begin_probe() VCACHE_REQUIRES(mutex_);
  void settle(std::uint64_t epoch, Verdict verdict) noexcept;
  [[nodiscard]] State settle_locked(Verdict verdict) VCACHE_REQUIRES(mutex_);
  void settle_closed(Verdict verdict) VCACHE_REQUIRES(mutex_);
  void settle_probe(Verdict verdict) VCACHE_REQUIRES(mutex_);
  void record(bool bad) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] bool share_is_bad() const VCACHE_REQUIRES(mutex_);
  void open(base::Nanos pause) VCACHE_REQUIRES(mutex_);
  void close() VCACHE_REQUIRES(mutex_);
  void note_refusal() VCACHE_REQUIRES(mutex_);
  [[nodiscard]] base::Nanos next_pause() VCACHE_REQUIRES(mutex_);

  // Constant after construction.
  const base::Clock& clock_;
  const Options options_;
  const Watcher watcher_;

  // Own synchronization.
  std::atomic<bool> refuses_{false};  // set under mutex_

  mutable base::Mutex mutex_;
  State state_ VCACHE_GUARDED_BY(mutex_) = State::kClosed;
  // Steps at every change of state and every probe, so that late reports are told apart.
  std::uint64_t epoch_ VCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t openings_ VCACHE_GUARDED_BY(mutex_) = 0;
  bool requests_probe_ VCACHE_GUARDED_BY(mutex_) = true;
  std::uint32_t bad_in_a_row_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::array<Slot, kSlots> window_ VCACHE_GUARDED_BY(mutex_){};
  base::Nanos until_ VCACHE_GUARDED_BY(mutex_){0};  // end of the pause, or of the probe's time
  std::minstd_rand random_ VCACHE_GUARDED_BY(mutex_);
};

[[nodiscard]] std::string_view to_string(Breaker::State state) noexcept;

}  // namespace vcache::l2
