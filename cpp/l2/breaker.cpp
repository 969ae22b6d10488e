#include "l2/breaker.hpp"

#include <algorithm>
#include <utility>

namespace vcache::l2 {

Breaker::Permit::Permit(Permit&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)), epoch_(other.epoch_) {}

Breaker::Permit& Breaker::Permit::operator=(Permit&& other) noexcept {
  if (this == &other) return *this;
  report(Verdict::kNone);
  breaker_ = std::exchange(other.breaker_, nullptr);
  epoch_ = other.epoch_;
  return *this;
}

void Breaker::Permit::report(Verdict verdict) noexcept {
  if (Breaker* breaker = std::exchange(breaker_, nullptr); breaker != nullptr) {
    breaker->settle(epoch_, verdict);
  }
}

Breaker::Breaker(const base::Clock& clock, const Options& options, std::uint64_t seed,
                 Watcher watcher)
    : clock_(clock),
      options_(options),
      watcher_(std::move(watcher)),
      random_(static_cast<std::uint32_t>(seed)) {}

Breaker::Permit Breaker::allow() noexcept {
  const base::MutexLock lock(mutex_);
  if (state_ == State::kClosed) return {*this, epoch_};
  return requests_probe_ ? begin_probe() : Permit();
}

Breaker::Permit Breaker::allow_probe() noexcept {
  const base::MutexLock lock(mutex_);
  return state_ == State::kClosed ? Permit() : begin_probe();
}

Breaker::Permit Breaker::begin_probe() {
  const base::Nanos now = clock_.steady();
  if (now < until_) return {};
  state_ = State::kHalfOpen;
  ++epoch_;
  until_ = now + options_.probe_limit;
  return {*this, epoch_};
}

std::optional<base::Nanos> Breaker::next_probe() const noexcept {
  const base::MutexLock lock(mutex_);
  if (state_ == State::kClosed) return std::nullopt;
  return std::max(until_ - clock_.steady(), base::Nanos::zero());
}

void Breaker::let_requests_probe(bool they_do) noexcept {
  const base::MutexLock lock(mutex_);
  requests_probe_ = they_do;
  note_refusal();
}

Breaker::State Breaker::state() const noexcept {
  const base::MutexLock lock(mutex_);
  return state_;
}

std::uint64_t Breaker::openings() const noexcept {
  const base::MutexLock lock(mutex_);
  return openings_;
}

void Breaker::settle(std::uint64_t epoch, Verdict verdict) noexcept {
  State before = State::kClosed;
  State after = State::kClosed;
  {
    const base::MutexLock lock(mutex_);
    if (epoch != epoch_) return;
    before = state_;
    after = settle_locked(verdict);
    if (before == State::kClosed && after == State::kOpen) ++openings_;
  }
  const bool changed = (before == State::kClosed) != (after == State::kClosed);
  if (changed && watcher_) watcher_(after, verdict);
}

Breaker::State Breaker::settle_locked(Verdict verdict) {
  if (state_ == State::kClosed) {
    settle_closed(verdict);
  } else if (state_ == State::kHalfOpen) {
    settle_probe(verdict);
  }
  return state_;
}

void Breaker::settle_closed(Verdict verdict) {
  if (verdict == Verdict::kNone) return;
  if (verdict == Verdict::kCredentials) return open(options_.credentials_pause);
  const bool bad = verdict == Verdict::kBad;
  bad_in_a_row_ = bad ? bad_in_a_row_ + 1 : 0;
  record(bad || verdict == Verdict::kSlow);
  if (bad_in_a_row_ >= options_.consecutive || share_is_bad()) open(next_pause());
}

void Breaker::settle_probe(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
    case Verdict::kSlow:
      return close();
    case Verdict::kBad:
      return open(next_pause());
    case Verdict::kCredentials:
      return open(options_.credentials_pause);
    case Verdict::kNone:
      return open(base::Nanos::zero());
  }
}

void Breaker::record(bool bad) {
  const std::int64_t second = clock_.steady() / kSlotLength;
  Slot& slot = window_[static_cast<std::size_t>(second) % kSlots];
  if (slot.second != second) slot = {.second = second};
  ++slot.calls;
  if (bad) ++slot.bad;
}

bool Breaker::share_is_bad() const {
  const std::int64_t oldest = clock_.steady() / kSlotLength - static_cast<std::int64_t>(kSlots) + 1;
  std::uint64_t calls = 0;
  std::uint64_t bad = 0;
  for (const Slot& slot : window_) {
    if (slot.second < oldest) continue;
    calls += slot.calls;
    bad += slot.bad;
  }
  return calls >= options_.least_calls &&
         static_cast<double>(bad) >= options_.bad_share * static_cast<double>(calls);
}

void Breaker::open(base::Nanos pause) {
  state_ = State::kOpen;
  ++epoch_;
  until_ = clock_.steady() + pause;
  note_refusal();
}

void Breaker::close() {
  state_ = State::kClosed;
  ++epoch_;
  bad_in_a_row_ = 0;
  window_.fill({});
  note_refusal();
}

void Breaker::note_refusal() {
  refuses_.store(state_ != State::kClosed && !requests_probe_, std::memory_order_relaxed);
}

base::Nanos Breaker::next_pause() {
  std::uniform_real_distribution<double> spread(1 - options_.jitter, 1 + options_.jitter);
  const base::Nanos pause = options_.pause;
  return base::Nanos(
      static_cast<std::int64_t>(static_cast<double>(pause.count()) * spread(random_)));
}

std::string_view to_string(Breaker::State state) noexcept {
  switch (state) {
    case Breaker::State::kClosed:
      return "closed";
    case Breaker::State::kOpen:
      return "open";
    case Breaker::State::kHalfOpen:
      return "half_open";
  }
  return "closed";
}

}  // namespace vcache::l2
