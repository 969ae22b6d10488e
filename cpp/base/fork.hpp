#pragma once

#include <list>

namespace vcache::base {

// What an object does when the process forks, so that the child inherits none of its locks from a
// thread that the child does not have. All three run on the forking thread.
class ForkParticipant {
 public:
  // Takes every lock that other threads hold for a short time only, in an order of its own.
  virtual void before_fork() noexcept = 0;
  // Release them. Whoever has registered before is through with this, so that the child can use it.
  virtual void after_fork_in_parent() noexcept = 0;
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ~ForkParticipant() = default;
};

// Has an object take part in every fork of its lifetime. To be its last member, so that the object
// is whole while it takes part. Registering and leaving wait for a fork under way. Thread-safe.
//
// Lock order: the registry's own lock comes before those of the participants; whoever holds a
// participant's lock neither registers nor forks, and holds no second one.
class ForkRegistration {
 public:
  explicit ForkRegistration(ForkParticipant& participant);
  ~ForkRegistration();
  ForkRegistration(const ForkRegistration&) = delete;
  ForkRegistration& operator=(const ForkRegistration&) = delete;

 private:
  std::list<ForkParticipant*>::iterator place_;
};

}  // namespace vcache::base
