#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/deadline.hpp"
#include "l2/dialer.hpp"

namespace vcache::l2 {

// A bounded set of connections to one server, made when needed, each lent to one caller at a
// time. Thread-safe; nothing is connected, checked or closed under the lock. The last returned is
// lent first, so that surplus ones stay idle.
class Pool {
 public:
  // A borrowed connection. Goes back when nothing is owed on it, else is closed.
  class Lease {
   public:
    Lease(Pool& pool, client::Connection connection, std::size_t slot, std::uint64_t generation,
          bool fresh) noexcept;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();

    [[nodiscard]] client::Connection& connection() noexcept { return connection_; }
    // True when it was made for this lease.
    [[nodiscard]] bool fresh() const noexcept { return fresh_; }

   private:
    Pool* pool_;
    client::Connection connection_;
    std::size_t slot_;
    std::uint64_t generation_;
    bool fresh_;
  };

  // At most `size` connections; who finds all of them in use waits for `longest_wait`, or for half
  // of the time that he has: the other half is the server's.
  enum class Patience : std::uint8_t { kBrief, kHalf };
  Pool(Dialer& dialer, std::size_t size, base::Millis longest_wait = base::Millis(5));

  // kBusy where none came back in time, kInterrupted where the thread is to stop.
  [[nodiscard]] base::Result<Lease> acquire(client::Deadline deadline,
                                            Patience patience = Patience::kBrief);
  // One that lies ready, if there is any.
  [[nodiscard]] std::optional<Lease> take_idle() noexcept;
  // No connection made so far is lent again.
  void invalidate() noexcept;
  // No connection is lent any more; those out are closed when they come back.
  void close() noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;

  // In a forked child, instead of the destructor: closes this process' copies of the sockets
  // without a lock, which another thread of the parent may have held. The pool is unusable then.
  void abandon() noexcept;

 private:
  struct Idle {
    client::Connection connection;
    std::size_t slot;
  };
  // What acquire() may do next: use this one, or connect in that slot.
  struct Turn {
    std::optional<Idle> idle;
    std::size_t slot = 0;
    std::uint64_t generation = 0;
  };

  // What abandon() may read at any moment. The number alone is not enough: a process may have
  // closed the socket behind our back, and have a file of its own there.
  struct Socket {
    std::atomic<int> descriptor{-1};
    dev_t device = 0;  // this and the next are valid while descriptor is not -1
    ino_t inode = 0;

    void set(int number) noexcept;
    void close() noexcept;
  };

  [[nodiscard]] client::Deadline end_of_patience(client::Deadline deadline,
                                                 Patience patience) const noexcept;
  // Asks meanwhile whether the thread is to stop.
  [[nodiscard]] base::Result<Turn> wait_for_turn(client::Deadline deadline);
  [[nodiscard]] base::Result<Turn> next_turn(client::Deadline deadline);
  [[nodiscard]] base::Result<Lease> connect(const Turn& turn, client::Deadline deadline);
  void give_back(client::Connection connection, std::size_t slot,
                 std::uint64_t generation) noexcept;
  void free_slot(std::size_t slot) noexcept;
  [[nodiscard]] std::optional<Idle> drop_idle() noexcept;
  // Halves the number of connections for a while: the server has too many clients.
  void shrink() noexcept;
  [[nodiscard]] std::size_t limit_locked() const VCACHE_REQUIRES(mutex_);

  // Own synchronization.
  Dialer& dialer_;
  std::vector<Socket> sockets_;  // one for each slot

  // Constant after construction.
  const base::Millis longest_wait_;

  mutable base::Mutex mutex_;
  base::CondVar returned_;
  std::vector<Idle> idle_ VCACHE_GUARDED_BY(mutex_);
  std::vector<std::size_t> free_slots_ VCACHE_GUARDED_BY(mutex_);
  std::uint64_t generation_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::size_t reduced_limit_ VCACHE_GUARDED_BY(mutex_) = 0;
  client::Deadline reduced_until_ VCACHE_GUARDED_BY(mutex_){};
  bool closed_ VCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace vcache::l2
