#include "l2/pool.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/interruption.hpp"
#include "l2/client/wait.hpp"

namespace vcache::l2 {

namespace {

constexpr std::chrono::seconds kReducedFor{10};

}  // namespace

Pool::Lease::Lease(Pool& pool, client::Connection connection, std::size_t slot,
                   std::uint64_t generation, bool fresh) noexcept
    : pool_(&pool),
      connection_(std::move(connection)),
      slot_(slot),
      generation_(generation),
      fresh_(fresh) {}

Pool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      connection_(std::move(other.connection_)),
      slot_(other.slot_),
      generation_(other.generation_),
      fresh_(other.fresh_) {}

Pool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->give_back(std::move(connection_), slot_, generation_);
}

void Pool::Socket::set(int number) noexcept {
  struct stat identity{};
  if (::fstat(number, &identity) != 0) return;
  device = identity.st_dev;
  inode = identity.st_ino;
  descriptor.store(number, std::memory_order_release);
}

void Pool::Socket::close() noexcept {
  const int number = descriptor.exchange(-1, std::memory_order_acq_rel);
  struct stat identity{};
  if (number < 0 || ::fstat(number, &identity) != 0) return;
  if (identity.st_dev == device && identity.st_ino == inode) ::close(number);
}

Pool::Pool(Dialer& dialer, std::size_t size, base::Millis longest_wait)
    : dialer_(dialer), sockets_(size), longest_wait_(longest_wait) {
  const base::MutexLock lock(mutex_);
  idle_.reserve(size);
  free_slots_.reserve(size);
  for (std::size_t slot = size; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

base::Result<Pool::Lease> Pool::acquire(client::Deadline deadline, Patience patience) {
  for (;;) {
    base::Result<Turn> turn = wait_for_turn(end_of_patience(deadline, patience));
    if (!turn.ok()) return turn.error();
    Turn& next = turn.value();
    if (!next.idle) return connect(next, deadline);
    if (next.idle->connection.quiet()) {
      return Lease(*this, std::move(next.idle->connection), next.idle->slot, next.generation,
                   false);
    }
    next.idle->connection.spend();
    give_back(std::move(next.idle->connection), next.idle->slot, next.generation);
  }
}

std::optional<Pool::Lease> Pool::take_idle() noexcept {
  for (;;) {
    std::optional<Idle> idle;
    std::uint64_t generation = 0;
    {
      const base::MutexLock lock(mutex_);
      if (closed_ || idle_.empty()) return std::nullopt;
      idle.emplace(std::move(idle_.back()));
      idle_.pop_back();
      generation = generation_;
    }
    if (idle->connection.quiet()) {
      return std::optional<Lease>(std::in_place, *this, std::move(idle->connection), idle->slot,
                                  generation, false);
    }
    idle->connection.spend();
    give_back(std::move(idle->connection), idle->slot, generation);
  }
}

client::Deadline Pool::end_of_patience(client::Deadline deadline,
                                       Patience patience) const noexcept {
  const auto now = client::Deadline::clock::now();
  if (patience == Patience::kHalf) return now + (deadline - now) / 2;
  return std::min(deadline, now + longest_wait_);
}

base::Result<Pool::Turn> Pool::wait_for_turn(client::Deadline deadline) {
  for (;;) {
    const client::Deadline slice = client::Deadline::clock::now() + client::kLongestSlice;
    base::Result<Turn> turn = next_turn(std::min(deadline, slice));
    const bool is_over = turn.ok() || turn.error().code != base::ErrorCode::kBusy;
    if (is_over || slice >= deadline) return turn;
    if (base::interrupted()) return base::Error{base::ErrorCode::kInterrupted, "a signal came"};
  }
}

base::Result<Pool::Turn> Pool::next_turn(client::Deadline deadline) {
  const base::MutexLock lock(mutex_);
  for (;;) {
    if (closed_) return base::Error{base::ErrorCode::kClosed, "the cache is closed"};
    if (!idle_.empty()) {
      Turn turn{.idle = std::move(idle_.back()), .generation = generation_};
      idle_.pop_back();
      return turn;
    }
    if (sockets_.size() - free_slots_.size() < limit_locked()) {
      Turn turn{.idle = {}, .slot = free_slots_.back(), .generation = generation_};
      free_slots_.pop_back();
      return turn;
    }
    if (client::Deadline::clock::now() >= deadline) {
      return base::Error{base::ErrorCode::kBusy, "all connections are in use"};
    }
    returned_.wait_until(mutex_, deadline);
  }
}

base::Result<Pool::Lease> Pool::connect(const Turn& turn, client::Deadline deadline) {
  try {
    base::Result<client::Connection> made = dialer_.dial(deadline);
    if (made.ok()) {
      client::Connection connection = std::move(made).value();
      sockets_[turn.slot].set(connection.descriptor());
      return Lease(*this, std::move(connection), turn.slot, turn.generation, true);
    }
    free_slot(turn.slot);
    if (made.error().code != base::ErrorCode::kBusy) return made.error();
    shrink();
    return base::Error{base::ErrorCode::kConnect, made.error().detail};
  } catch (...) {
    free_slot(turn.slot);
    throw;
  }
}

void Pool::give_back(client::Connection connection, std::size_t slot,
                     std::uint64_t generation) noexcept {
  if (connection.reusable()) {
    const base::MutexLock lock(mutex_);
    if (!closed_ && generation == generation_) {
      idle_.push_back({std::move(connection), slot});
      returned_.notify_one();
      return;
    }
  }
  free_slot(slot);
}

// Requires: the connection in it, if any, is still open, so that the number names our socket.
void Pool::free_slot(std::size_t slot) noexcept {
  sockets_[slot].descriptor.store(-1, std::memory_order_release);
  const base::MutexLock lock(mutex_);
  free_slots_.push_back(slot);
  returned_.notify_one();
}

std::optional<Pool::Idle> Pool::drop_idle() noexcept {
  const base::MutexLock lock(mutex_);
  if (idle_.empty()) return std::nullopt;
  std::optional<Idle> idle(std::move(idle_.back()));
  idle_.pop_back();
  return idle;
}

void Pool::invalidate() noexcept {
  {
    const base::MutexLock lock(mutex_);
    ++generation_;
  }
  while (const std::optional<Idle> idle = drop_idle()) free_slot(idle->slot);
}

void Pool::close() noexcept {
  {
    const base::MutexLock lock(mutex_);
    closed_ = true;
    returned_.notify_all();
  }
  invalidate();
}

void Pool::shrink() noexcept {
  const base::MutexLock lock(mutex_);
  reduced_limit_ = std::max<std::size_t>(1, limit_locked() / 2);
  reduced_until_ = client::Deadline::clock::now() + kReducedFor;
}

std::size_t Pool::limit_locked() const {
  const bool reduced = reduced_limit_ != 0 && client::Deadline::clock::now() < reduced_until_;
  return reduced ? reduced_limit_ : sockets_.size();
}

std::size_t Pool::connections() const noexcept {
  const base::MutexLock lock(mutex_);
  return sockets_.size() - free_slots_.size();
}

void Pool::abandon() noexcept {
  for (Socket& socket : sockets_) socket.close();
}

}  // namespace vcache::l2
