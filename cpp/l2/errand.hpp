#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "l2/breaker.hpp"
#include "l2/client/deadline.hpp"
#include "l2/command/batch.hpp"
#include "l2/command/time.hpp"
#include "l2/pool.hpp"

namespace vcache::l2 {

class Node;

// One batch on its way to one node: the breaker's leave, a connection, another one where the batch
// may be sent again, and at the end what it says of the server. Used by one thread, which may have
// several under way at once (run_all).
class Errand {
 public:
  Errand(Node& node, command::Batch& batch) noexcept;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  // All of it, by `deadline`.
  void run(client::Deadline deadline) noexcept;

  // Or step by step. It needs a connection, then it is under way, and then over, or it needs
  // another one.
  [[nodiscard]] bool over() const noexcept { return over_; }
  [[nodiscard]] bool under_way() const noexcept { return held_ != nullptr; }
  // Sets off where a connection lies ready.
  [[nodiscard]] bool take_idle() noexcept;
  // Sets off with a connection that may have to be waited for, or made.
  void connect(client::Deadline deadline) noexcept;
  // While it is under way: what to wait for (events 0: nothing), and what to do then.
  [[nodiscard]] pollfd wants() noexcept;
  void step(short ready) noexcept;
  void give_up(base::Error reason) noexcept;

  // How it ended: the error of the connection, or else the first one that the server answered with.
  [[nodiscard]] base::Error take_error() noexcept { return std::move(error_); }

 private:
  // Why a batch that failed may be sent once more.
  enum class Retry : std::uint8_t {
    kNo,
    kStale,      // the connection was closed before the server saw it, or sending it twice is safe
    kOversized,  // a reply was over the limit, and the batch goes on behind it
  };

  void set_off();
  void go_on(base::Error error);
  [[nodiscard]] bool send_next();
  void end_attempt(base::Error error);
  [[nodiscard]] Retry retry_after(const base::Error& error);
  void end(base::Error error, base::ErrorCode judged);
  void fail_here() noexcept;
  void hold(Pool::Lease lease) noexcept;
  void let_go() noexcept;
  [[nodiscard]] Breaker::Verdict verdict(base::ErrorCode code) const noexcept;

  Node& node_;
  command::Batch& batch_;
  Breaker::Permit permit_;
  std::optional<command::ReadTime> time_;      // goes before the batch where it is due
  command::ReadTime* telling_time_ = nullptr;  // time_, while the replies that come are its
  std::optional<Pool::Lease> lease_;
  Pool::Lease* held_ = nullptr;  // lease_, while there is one
  client::Deadline began_{};
  base::Error error_;
  int resent_ = 0;
  int skipped_ = 0;
  bool over_ = false;
};

}  // namespace vcache::l2
