#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/fork.hpp"
#include "base/keeper.hpp"
#include "base/mutex.hpp"
#include "l2/command/context.hpp"
#include "l2/dialer.hpp"
#include "l2/listener.hpp"
#include "l2/redis_options.hpp"
#include "l2/tracking/link.hpp"
#include "l2/tracking/wake_up.hpp"

namespace vcache::l2::tracking {

// One link to every server of a session, kept up by two threads that start with start(): one
// listens on all links, the other connects. They take no signal and never meet Python.
//
// The listener hears of all links as of one: it is up while each of them is. When the first comes
// up within a moment of start(), what this process has written and read by then is asked for rather
// than given up.
//
// Where servers come and go, memory is unverified from on_servers_changed() on until each of those
// that there are then has a link, so that nothing that a newcomer answers passes for told.
//
// Thread-safe. Belongs to the process that made it: a forked child is told that the link is down,
// and its copies of the sockets are closed.
class Links final : private base::Chore, private base::ForkParticipant {
 public:
  enum class State : std::uint8_t {
    kOff,   // not wanted
    kDown,  // none yet, or lost
    kUp,
    kNone,  // refused: no server tells of changes
  };

  // The servers to link with; none: not known yet. Those that stay keep their links.
  using Servers = std::function<std::vector<std::shared_ptr<Dialer>>()>;

  // The references outlive it, and so does what `servers` refers to.
  Links(const RedisOptions& options, const command::Context& context, Listener& listener,
        Servers servers);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  // To be called before a server that came, or took over, is asked for anything. By any thread,
  // also beside stop().
  void on_servers_changed() noexcept VCACHE_EXCLUDES(mutex_);
  // At every call that needs the servers: begins with the first.
  void start() noexcept {
    if (!started_.load(std::memory_order_acquire)) begin();
  }
  // Ends both threads and all links. Idempotent. Requires: no other call is under way or comes.
  void stop() noexcept;

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_relaxed); }

 private:
  using Time = Link::Time;

  // What is known of the link to one server. Used by the listening thread.
  struct Peer {
    std::shared_ptr<Dialer> server = {};
    std::unique_ptr<Link> link = {};
    bool dialing = false;
    bool refused = false;
    int hang_ups = 0;       // of attempts in a row that ended so
    base::Millis pause{0};  // before the next attempt
    Time next_attempt{};
    Time since{};  // when the link came up
  };
  // An attempt that was ordered, and what became of it.
  struct Dialled {
    std::shared_ptr<Dialer> server = {};
    std::unique_ptr<client::Connection> connection = {};  // none: it failed
    bool refused = false;
    bool credentials = false;  // they are wrong
    bool hung_up = false;      // the server did, instead of an answer
  };
  // Connects what is ordered, on a thread of its own.
  class Dialling final : public base::Chore {
   public:
    explicit Dialling(Links& links) noexcept : links_(links) {}
    [[nodiscard]] base::Millis run() noexcept override;
    void interrupt() noexcept override {}

   private:
    Links& links_;
  };

  void begin() noexcept;
  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override { wake_up_.ring(); }
  void go_round();
  void take_servers();
  void take_dialled() VCACHE_EXCLUDES(mutex_);
  void adopt(Peer& peer, Dialled dialled);
  void tend(Peer& peer, Time now) VCACHE_EXCLUDES(mutex_);
  void lose(Peer& peer, Time now) VCACHE_EXCLUDES(mutex_);
  void order(Peer& peer, Time now) VCACHE_EXCLUDES(mutex_);
  // The next attempt is after a pause, which grows.
  static void put_off(Peer& peer, Time now) noexcept;
  // Requires: one order.
  void dial(std::list<Dialled> order) noexcept VCACHE_EXCLUDES(mutex_);
  void connect(Dialled& out);
  [[nodiscard]] Time next_due() const noexcept;
  void wait_and_hear();
  void settle(Time now);
  void come_up();
  [[nodiscard]] bool verify_recorded();
  void verify_late(Time now);
  void go_down_if_up() noexcept;
  void go_down() noexcept;
  void give_up() noexcept;
  void note_descriptors() VCACHE_EXCLUDES(mutex_);

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  // Constant after construction.
  const RedisOptions& options_;
  const command::Context& context_;
  Listener& listener_;
  const Servers servers_;

  // Own synchronization.
  WakeUp wake_up_;
  std::atomic<bool> started_{false};
  std::atomic<State> state_;
  std::atomic<bool> servers_changed_{true};

  // Of the listening thread; before it starts, of begin().
  std::vector<Peer> peers_;
  Time began_{};
  bool ever_up_ = false;
  bool told_down_ = false;
  Time late_until_{};  // calls that began before the first link may record until then

  bool parents_ = false;  // in a forked child

  base::Mutex mutex_;
  // Lists, so that an order comes back whatever memory there is.
  std::list<Dialled> orders_ VCACHE_GUARDED_BY(mutex_);
  std::list<Dialled> dialled_ VCACHE_GUARDED_BY(mutex_);
  std::vector<int> descriptors_ VCACHE_GUARDED_BY(mutex_);  // for a forked child to close

  Dialling dialling_{*this};
  base::Keeper dialler_;
  base::Keeper listening_;
  base::ForkRegistration fork_registration_{*this};
};

[[nodiscard]] std::string_view to_string(Links::State state) noexcept;

}  // namespace vcache::l2::tracking
