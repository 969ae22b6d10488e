#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/connection.hpp"
#include "l2/command/context.hpp"
#include "l2/command/stamps.hpp"
#include "l2/listener.hpp"
#include "l2/tracking/invalidations.hpp"
#include "l2/tracking/own_writes.hpp"
#include "l2/tracking/verify.hpp"

namespace vcache::l2::tracking {

// A connection on which one server tells of changes, and what is done about them: a key that this
// process did not write to lately has changed; any other is asked for, a few milliseconds later and
// with others, since the push may stand for our own write as well as for somebody else's at the
// same moment. Of a tag the stamp is read at once. Never waits. Used by one thread.
class Link final : private Invalidations::Sink {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `connection` was subscribed. The references outlive the link.
  Link(client::Connection connection, const command::Context& context, Listener& listener,
       Time now);
  ~Link() override;

  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }
  // Events to poll for; 0: on_ready() has something to do already.
  [[nodiscard]] short wants() noexcept { return connection_.wants(); }
  // When on_time() is to be called.
  [[nodiscard]] Time due() const noexcept;
  // Both return false when the link is lost: closed, silent for too long, or not understood.
  [[nodiscard]] bool on_ready(short events, Time now) noexcept;
  [[nodiscard]] bool on_time(Time now) noexcept;

  // Asks whether the server has what this process wrote under these keys, and for the stamps of
  // these tags.
  void verify(OwnWrites::Recorded recorded);

 private:
  void on_changes(const Changes& changes) noexcept override;
  void sort_keys(const Changes& changes);
  void sort_tags(const Changes& changes) noexcept;
  [[nodiscard]] bool remember(std::string_view tag) noexcept;
  void hand_over(std::span<const std::string_view> keys) noexcept;
  [[nodiscard]] bool begin_verification();
  [[nodiscard]] bool begin_reading();
  [[nodiscard]] bool begin_ping();
  [[nodiscard]] bool begin(command::Batch& batch);
  // What is under way, if anything is.
  [[nodiscard]] client::ReplySink* exchange() const noexcept;
  void tell(const base::TagStamp& stamp) noexcept;
  void end_exchange() noexcept;

  const command::Context& context_;
  Listener& listener_;
  Invalidations invalidations_;
  client::Connection connection_;

  Time heard_;                        // when the server last said anything
  Time asked_;                        // when it was last asked whether it is there
  std::vector<std::string> pending_;  // keys to be asked for
  bool generation_pending_ = false;
  std::vector<std::string> pending_tags_;  // whose stamps are to be read
  Time verify_at_ = Time::max();
  std::vector<std::string_view> foreign_;  // of the push being read
  // What is under way.
  std::vector<std::string> verified_keys_;
  std::unique_ptr<Verify> verification_;
  std::vector<std::string> read_tags_;
  std::unique_ptr<command::ReadStamps> reading_;
  std::unique_ptr<command::Batch> ping_;
};

}  // namespace vcache::l2::tracking
