#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "base/result.hpp"
#include "base/tags.hpp"
#include "base/value.hpp"
#include "l2/news.hpp"

namespace vcache::l2 {

class Blobs;
class Leases;

// How a request to L2 ended. A miss is not an error, and "not asked" is not a miss.
enum class Outcome : std::uint8_t {
  kHit,      // found, stored, erased or touched
  kMiss,     // not there, or there but not to be trusted (counted by kind in Status)
  kExpired,  // there, but older than its own expiry or made before the last clear
  kSkipped,  // not asked: breaker open, pool empty, closed
  kFailed,   // asked, no usable answer
};

// Whether the tier may not have done it.
[[nodiscard]] constexpr bool is_unanswered(Outcome outcome) noexcept {
  return outcome == Outcome::kSkipped || outcome == Outcome::kFailed;
}

// The outcome of everything that a call which ended so left without an answer.
[[nodiscard]] constexpr Outcome outcome_of(base::ErrorCode code) noexcept {
  switch (code) {
    case base::ErrorCode::kConnect:
    case base::ErrorCode::kBusy:
    case base::ErrorCode::kBreakerOpen:
    case base::ErrorCode::kClosed:
    case base::ErrorCode::kTls:
    case base::ErrorCode::kInterrupted:
      return Outcome::kSkipped;
    default:
      return Outcome::kFailed;
  }
}

// A value as L2 holds it. Views are valid during FetchSink::on_value only.
struct StoredValue {
  base::ValueView value;
  base::Millis age{0};         // this and the next are ten years at most
  base::Millis remaining{-1};  // until the expiry in its header; negative: none
  base::Moment made{.here = base::Moment::kElsewhere};  // of a value with tags
  bool stale = false;  // that expiry is over, its grace is not: for fail-safe only
};

// Receives the answers of a fetch, each index once, in any order. Where keys lie on several
// servers, on_absent() may follow on_value() for the same index: the value was judged by what was
// known when it came, and is void.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  virtual void on_value(std::size_t index, const StoredValue& stored) noexcept = 0;
  virtual void on_absent(std::size_t index, Outcome outcome) noexcept = 0;
};

struct Write {
  std::string_view key;  // the user's key, without the namespace
  base::ValueView value;
  base::Millis ttl{0};  // 0: no expiry
  // Of a value with tags; `shared` is what take_stamp() said before the value was made.
  base::Moment made = {};
};

// Where a store takes its writes from. Each is asked for when its turn to be sent comes, so that
// the last are made while the first are on their way. Used by the thread that stores.
class WriteSource {
 public:
  WriteSource() = default;
  virtual ~WriteSource() = default;
  WriteSource(const WriteSource&) = delete;
  WriteSource& operator=(const WriteSource&) = delete;

  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  // Asked in order at first, and again for a write that is sent again: always the same. Valid as
  // long as the source.
  [[nodiscard]] virtual const Write& at(std::size_t index) = 0;
};

struct Status {
  Outcome outcome = Outcome::kSkipped;  // of the probe; kSkipped when none was asked for
  base::Error error;
  std::string breaker = "closed";               // closed | open | half_open: the worst of these
  std::map<std::string, std::string> breakers;  // of each server that holds keys, by its address
  std::uint64_t openings = 0;                   // how often the breaker opened
  std::map<std::string, std::uint64_t> errors;  // by kind: timeout, connect, corrupt, mismatch, ...
  std::map<std::string, double> server;         // used_memory, evicted_keys, ops, clients, keys;
                                                // of several servers their sums
  std::map<std::string, std::uint64_t> cluster;  // looks at its slots, moved, asked: redirects
  std::uint64_t connections = 0;
  // Writes that the tier did not take at first: those that wait, those it took later, and those
  // that were given up.
  std::uint64_t waiting = 0;
  std::uint64_t recovered = 0;
  std::uint64_t dropped = 0;
  // How changes by other processes reach this one: "tracking": they are told; "down": not now;
  // "ttl": never, the server will not; "off": nobody asked for it.
  std::string coherence = "off";
};

// The shared tier. Thread-safe. Never throws; a failure is an outcome, and the returned Error says
// why for callers that want to raise (strict mode). No call outlasts the configured timeout, but
// for those that say so.
class L2 {
 public:
  L2() = default;
  virtual ~L2() = default;
  L2(const L2&) = delete;
  L2& operator=(const L2&) = delete;

  virtual base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept = 0;
  // Requires: outcomes.size() == writes.size().
  virtual base::Error store(WriteSource& writes, std::span<Outcome> outcomes) noexcept = 0;
  // outcomes[i]: kHit when keys[i] was there; kMiss also when its first answer was lost and it was
  // erased once more. Requires: outcomes.size() == keys.size().
  virtual base::Error erase(std::span<const std::string_view> keys,
                            std::span<Outcome> outcomes) noexcept = 0;
  // kHit when the key is there; ttl 0 removes the expiry, a negative one only asks. Changes Redis'
  // TTL, then the expiry in the header if that can be done.
  virtual base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept = 0;
  // Steps the generation of the namespace: everything stored before reads as kExpired. When that
  // fails, later calls make up for it, and until one succeeds nothing is fetched, stored or
  // touched.
  virtual base::Error clear() noexcept = 0;
  // The stamp that values with these tags bear whose making begins now; they may live as long as
  // `ttl` (0: no expiry). Where it fails, the newest that is known; 0: none is.
  virtual base::Error take_stamp(std::span<const std::string_view> tags, base::Millis ttl,
                                 std::uint64_t& stamp) noexcept = 0;
  // Every value with one of these tags whose stamp was taken before reads as kExpired from now on.
  // When that fails, as for clear(). Each 512 tags have the timeout.
  virtual base::Error invalidate_tags(std::span<const std::string_view> tags) noexcept = 0;
  // Whether a clear() or invalidate_tags() is to be made up for; pay() does that, and the error
  // says why it was not.
  [[nodiscard]] virtual bool owes() const noexcept { return false; }
  virtual base::Error pay() noexcept { return {}; }
  // How far an erasure is.
  struct Progress {
    std::vector<std::string> servers = {};  // those that it need not go to again
    // Asked between its steps; true: it ends there, and has failed. None: it goes on.
    std::function<bool()> is_over = nullptr;
  };
  // Erases the values under keys that the glob pattern takes; adds the keys of those that a fetch
  // would have served to `erased`. In as many round trips as it takes, each of which has the
  // timeout; values stored meanwhile may stay. When that fails, `progress` is where to go on;
  // kForbidden: it never will be done.
  virtual base::Error erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                                     Progress& progress) noexcept = 0;
  // outcomes[i]: kHit when a fetch would serve keys[i]. Requires: outcomes.size() == keys.size().
  virtual base::Error look(std::span<const std::string_view> keys,
                           std::span<Outcome> outcomes) noexcept = 0;
  // Where a walk through the keys is.
  struct Page {
    std::vector<std::string> keys = {};     // found by the steps, to be taken away by whoever walks
    std::vector<std::string> servers = {};  // those that are done
    std::string server = {};                // the one that the cursor is of
    std::string cursor = "0";
    bool is_last = false;  // that was the last step
  };
  // Takes one step: adds some of the keys that the glob pattern takes and a fetch would serve.
  // Those that are there from the first step to the last are met, some several times. Each of its
  // round trips has the timeout. When it fails, the step may be taken again.
  virtual base::Error list(std::string_view pattern, Page& page) noexcept = 0;
  // probe: also asks the server (round trip and figures); else only what is known here.
  [[nodiscard]] virtual Status status(bool probe) noexcept = 0;
  // Who computes missing values, over all processes. Lives as long as this.
  [[nodiscard]] virtual Leases& leases() noexcept;
  // What the namespace keeps for itself. Lives as long as this.
  [[nodiscard]] virtual Blobs& blobs() noexcept;
  // Closes all connections; every later call is kSkipped. Idempotent.
  virtual void close() noexcept = 0;

  // True where a fetch of the key would be skipped without a wait; counts it then.
  [[nodiscard]] virtual bool skips(std::string_view /*key*/) noexcept { return false; }
  // True while every fetch would be skipped without a wait, the tier being known to give no answer;
  // false before the next one is let through. Costs hardly more than a load.
  [[nodiscard]] virtual bool is_silent() const noexcept { return false; }
  // Runs chores of this process beside the calls; null where nobody does. Lives as long as this.
  [[nodiscard]] virtual base::Keeper* keeper() noexcept { return nullptr; }
  // What a log should say, the oldest first; each event is told once.
  [[nodiscard]] virtual bool has_news() const noexcept { return false; }
  [[nodiscard]] virtual std::vector<Event> take_news() { return {}; }
};

}  // namespace vcache::l2
