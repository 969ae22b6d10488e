#pragma once

#include <sys/types.h>

#include <memory>

#include "base/clock.hpp"

namespace vcache::base {

// Work that the keeper does again and again beside the calls of a session.
class Chore {
 public:
  // Does what is due, and returns in how long it is wanted again; a day at most. The keeper's
  // stop() waits for it: waits for a server end then, others of over a second ask
  // Keeper::stopping(). No other run of this chore is under way.
  [[nodiscard]] virtual Millis run() noexcept = 0;
  // The keeper's stop() waits for the run that is under way: makes it end sooner, if it can. On the
  // thread that waits.
  virtual void interrupt() noexcept = 0;

 protected:
  ~Chore() = default;
};

// Runs chores on a thread of its own, which starts with the first of them. That thread takes no
// signal and never meets Python. Thread-safe.
//
// Belongs to the process that made it: in a forked child, which has no such thread, all calls do
// nothing, and the destructor leaves what it cannot know the state of as it lies.
class Keeper {
 public:
  Keeper();
  // Stops it. No other call may be under way.
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Runs `chore` as soon as it can, and then whenever it is wanted. False where there is no thread
  // to do so: none could be started, or it was stopped. To add what is there already wakes it.
  bool add(Chore& chore) noexcept;
  // Runs `chore`, where it was added, as soon as it can. One that is running runs once more.
  void wake(const Chore& chore) noexcept;
  // `chore` is not running when this returns and does not run again, but when it removes itself.
  void remove(const Chore& chore) noexcept;
  // Ends the thread, for good. Idempotent; what is called on the keeper's own thread does not wait
  // for its end.
  void stop() noexcept;

  // Stops all keepers of the process, also those to come: for its end, before what their threads
  // use is torn down.
  static void stop_all() noexcept;

  // True from the moment that somebody waits for the thread's end. For chores.
  [[nodiscard]] bool stopping() const noexcept;
  // True while chores are run.
  [[nodiscard]] bool running() const noexcept;

 private:
  class State;
  class Registry;

  [[nodiscard]] bool foreign() const noexcept;

  const pid_t process_;
  const std::shared_ptr<State> state_;
};

}  // namespace vcache::base
