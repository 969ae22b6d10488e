#include "base/keeper.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "base/fork.hpp"
#include "base/interruption.hpp"
#include "base/mutex.hpp"

namespace vcache::base {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Millis kLongestPause = std::chrono::hours(24);

// Blocks all signals of the calling thread while it lives; threads made meanwhile keep them so.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

// Shared by the keeper and its thread. A forked child inherits the thread's share and nobody who
// gives it up, so that there it lies for ever.
class Keeper::State {
 public:
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (thread_.joinable()) thread_.detach();  // the thread itself was the last
  }

  // Requires: `self` is this.
  bool add(Chore& chore, const std::shared_ptr<State>& self) VCACHE_EXCLUDES(mutex_);
  void wake(const Chore& chore) noexcept VCACHE_EXCLUDES(mutex_);
  void remove(const Chore& chore) noexcept VCACHE_EXCLUDES(mutex_);
  void stop() noexcept VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(); }
  [[nodiscard]] bool running() const noexcept VCACHE_EXCLUDES(mutex_);

 private:
  struct Task {
    Chore* chore;
    SteadyClock::time_point due;
  };

  void work() noexcept;
  void begin() noexcept VCACHE_EXCLUDES(mutex_);
  // The next chore, when it is due; null at the end.
  [[nodiscard]] Chore* begin_next() noexcept VCACHE_EXCLUDES(mutex_);
  void end(const Chore& chore, Millis pause) noexcept VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<Task>::iterator find(const Chore& chore) noexcept
      VCACHE_REQUIRES(mutex_);
  void await_change() noexcept VCACHE_REQUIRES(mutex_) {
    await_change(SteadyClock::now() + kLongestPause);
  }
  // By value: the lock is open meanwhile, and what is guarded by it changes.
  void await_change(SteadyClock::time_point deadline) noexcept VCACHE_REQUIRES(mutex_) {
    changed_.wait_until(mutex_, deadline);
  }

  // Own synchronization.
  std::atomic<bool> stopping_{false};  // set under mutex_

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Task> tasks_ VCACHE_GUARDED_BY(mutex_);
  Chore* current_ VCACHE_GUARDED_BY(mutex_) = nullptr;  // the one that runs
  bool begun_ VCACHE_GUARDED_BY(mutex_) = false;
  std::thread thread_ VCACHE_GUARDED_BY(mutex_);
  std::thread::id id_ VCACHE_GUARDED_BY(mutex_);  // none: there is no thread, or it has ended
};

// Those that a process has, for its end. Never destroyed: threads may use it until then.
class Keeper::Registry final : private ForkParticipant {
 public:
  static Registry& only() {
    static Registry& registry = *new Registry;
    return registry;
  }

  void add(const std::shared_ptr<State>& state) VCACHE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::erase_if(states_, [](const auto& each) { return each.expired(); });
    states_.push_back(state);
    if (closed_) state->stop();
  }
  // Every keeper that is added from now on is stopped.
  [[nodiscard]] std::vector<std::weak_ptr<State>> close() VCACHE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    closed_ = true;
    return std::exchange(states_, {});
  }

 private:
  void before_fork() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void after_fork_in_parent() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.unlock();
  }
  void after_fork_in_child() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    states_.clear();
    mutex_.unlock();
  }

  Mutex mutex_;
  std::vector<std::weak_ptr<State>> states_ VCACHE_GUARDED_BY(mutex_);
  bool closed_ VCACHE_GUARDED_BY(mutex_) = false;
  ForkRegistration fork_registration_{*this};
};

bool Keeper::State::add(Chore& chore, const std::shared_ptr<State>& self) {
  const MutexLock lock(mutex_);
  if (stopping()) return false;
  const auto place = find(chore);
  if (place != tasks_.end()) {
    place->due = {};
  } else {
    tasks_.push_back({.chore = &chore, .due = {}});
  }
  changed_.notify_all();
  if (thread_.joinable()) return true;
  try {
    const NoSignals blocked;
    thread_ = std::thread([self] { self->work(); });
  } catch (const std::exception&) {
    tasks_.pop_back();
    return false;
  }
  id_ = thread_.get_id();
  while (!begun_) await_change();
  return true;
}

void Keeper::State::wake(const Chore& chore) noexcept {
  const MutexLock lock(mutex_);
  if (const auto place = find(chore); place != tasks_.end()) place->due = {};
  changed_.notify_all();
}

void Keeper::State::remove(const Chore& chore) noexcept {
  const MutexLock lock(mutex_);
  if (const auto place = find(chore); place != tasks_.end()) tasks_.erase(place);
  if (id_ == std::this_thread::get_id()) return;
  while (current_ == &chore) await_change();
}

void Keeper::State::stop() noexcept {
  std::thread ended;
  {
    const MutexLock lock(mutex_);
    stopping_.store(true);
    changed_.notify_all();
    if (id_ == std::this_thread::get_id()) return;
    if (current_ != nullptr) current_->interrupt();
    while (id_ != std::thread::id()) await_change();
    ended.swap(thread_);
  }
  if (ended.joinable()) ended.join();
}

bool Keeper::State::running() const noexcept {
  const MutexLock lock(mutex_);
  return !stopping() && id_ != std::thread::id();
}

void Keeper::State::begin() noexcept {
  pthread_setname_np(pthread_self(), "vcache-keeper");
  interrupt_when(stopping_);
  // The runtime's variables of a thread are allocated at their first use, and a failure of that
  // ends the process: it belongs to the start, for which the caller waits, and not to a chore.
  // Volatile, for compilers leave out a pure function whose result is not used.
  [[maybe_unused]] const volatile int exceptions = std::uncaught_exceptions();
  const MutexLock lock(mutex_);
  begun_ = true;
  changed_.notify_all();
}

void Keeper::State::work() noexcept {
  begin();
  while (Chore* const chore = begin_next()) end(*chore, chore->run());
}

Chore* Keeper::State::begin_next() noexcept {
  const auto sooner = [](const Task& a, const Task& b) { return a.due < b.due; };
  const MutexLock lock(mutex_);
  while (!stopping()) {
    const auto next = std::ranges::min_element(tasks_, sooner);
    if (next == tasks_.end()) {
      await_change();
    } else if (next->due > SteadyClock::now()) {
      await_change(next->due);
    } else {
      next->due = SteadyClock::time_point::max();
      current_ = next->chore;
      return next->chore;
    }
  }
  id_ = {};
  changed_.notify_all();
  return nullptr;
}

void Keeper::State::end(const Chore& chore, Millis pause) noexcept {
  const MutexLock lock(mutex_);
  current_ = nullptr;
  changed_.notify_all();
  const auto due = SteadyClock::now() + std::clamp(pause, Millis::zero(), kLongestPause);
  if (const auto place = find(chore); place != tasks_.end()) place->due = std::min(place->due, due);
}

std::vector<Keeper::State::Task>::iterator Keeper::State::find(const Chore& chore) noexcept {
  return std::ranges::find_if(tasks_, [&](const Task& task) { return task.chore == &chore; });
}

Keeper::Keeper() : process_(getpid()), state_(std::make_shared<State>()) {
  Registry::only().add(state_);
}

Keeper::~Keeper() { stop(); }

bool Keeper::add(Chore& chore) noexcept {
  try {
    return !foreign() && state_->add(chore, state_);
  } catch (const std::exception&) {
    return false;
  }
}

void Keeper::wake(const Chore& chore) noexcept {
  if (!foreign()) state_->wake(chore);
}

void Keeper::remove(const Chore& chore) noexcept {
  if (!foreign()) state_->remove(chore);
}

void Keeper::stop() noexcept {
  if (!foreign()) state_->stop();
}

void Keeper::stop_all() noexcept {
  for (const std::weak_ptr<State>& each : Registry::only().close()) {
    if (const std::shared_ptr<State> state = each.lock()) state->stop();
  }
}

bool Keeper::stopping() const noexcept { return foreign() || state_->stopping(); }

bool Keeper::running() const noexcept { return !foreign() && state_->running(); }

bool Keeper::foreign() const noexcept { return getpid() != process_; }

}  // namespace vcache::base
