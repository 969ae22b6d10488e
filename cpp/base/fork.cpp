#include "base/fork.hpp"

#include <pthread.h>

#include <new>

#include "base/mutex.hpp"

namespace vcache::base {

namespace {

using Participants = std::list<ForkParticipant*>;

class Registry {
 public:
  Participants::iterator add(ForkParticipant& participant) VCACHE_EXCLUDES(mutex_) {
    Participants one{&participant};
    const MutexLock lock(mutex_);
    participants_.splice(participants_.begin(), one);
    return participants_.begin();
  }
  void remove(Participants::iterator place) VCACHE_EXCLUDES(mutex_) {
    Participants one;
    const MutexLock lock(mutex_);
    one.splice(one.begin(), participants_, place);
  }

  void before_fork() VCACHE_ACQUIRE(mutex_) {
    mutex_.lock();
    for (ForkParticipant* each : participants_) each->before_fork();
  }
  void after_fork_in_parent() VCACHE_RELEASE(mutex_) {
    for (auto place = participants_.end(); place != participants_.begin();) {
      (*--place)->after_fork_in_parent();
    }
    mutex_.unlock();
  }
  void after_fork_in_child() VCACHE_RELEASE(mutex_) {
    for (auto place = participants_.end(); place != participants_.begin();) {
      (*--place)->after_fork_in_child();
    }
    mutex_.unlock();
  }

 private:
  Mutex mutex_;
  Participants participants_ VCACHE_GUARDED_BY(mutex_);
};

Registry& registry();

// The system's callbacks: what the first takes, one of the others releases.
void before() VCACHE_NO_THREAD_SAFETY_ANALYSIS { registry().before_fork(); }
void in_parent() VCACHE_NO_THREAD_SAFETY_ANALYSIS { registry().after_fork_in_parent(); }
void in_child() VCACHE_NO_THREAD_SAFETY_ANALYSIS { registry().after_fork_in_child(); }

// Never destroyed: a process may fork until its very end.
Registry& registry() {
  static Registry& only = []() -> Registry& {
    auto* made = new Registry;
    if (pthread_atfork(before, in_parent, in_child) != 0) throw std::bad_alloc();
    return *made;
  }();
  return only;
}

}  // namespace

ForkRegistration::ForkRegistration(ForkParticipant& participant)
    : place_(registry().add(participant)) {}

ForkRegistration::~ForkRegistration() { registry().remove(place_); }

}  // namespace vcache::base
