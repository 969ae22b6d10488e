#include "l2/tracking/link.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "l2/client/server_error.hpp"
#include "l2/command/ping.hpp"

namespace vcache::l2::tracking {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHeartbeat{1000};
constexpr milliseconds kLongestSilence{2500};
// Several changes of one key are asked for once, and what is on its way to the server arrives.
constexpr milliseconds kVerifyDelay{10};
constexpr std::size_t kVerifiedAtOnce = 2048;
constexpr std::size_t kMostPending = std::size_t{1} << 16;

// Any answer will do, and none counts as an error.
class Heartbeat final : public command::Ping {
 public:
  using Ping::Ping;
  void on_part(const client::ReplyPart& /*part*/) noexcept override {}
};

// Of tags that have moved to another server it reads none, which is no error.
class TagReading final : public command::ReadStamps {
 public:
  using ReadStamps::ReadStamps;
  void on_part(const client::ReplyPart& part) noexcept override {
    const bool failed = part.type == client::ReplyType::kError;
    if (failed && client::classify(part.text).kind == ErrorKind::kCluster) return;
    ReadStamps::on_part(part);
  }
};

void sort_distinct(std::vector<std::string>& names) {
  std::ranges::sort(names);
  // clang 14 cannot compile the ranges form with this library.
  names.erase(std::unique(names.begin(), names.end()),  // NOLINT(modernize-use-ranges)
              names.end());
}

// For replies that nobody asked for.
class NoReplies final : public client::ReplySink {
 public:
  void on_part(const client::ReplyPart& /*part*/) noexcept override {}
};

}  // namespace

Link::Link(client::Connection connection, const command::Context& context, Listener& listener,
           Time now)
    : context_(context),
      listener_(listener),
      invalidations_(context, *this),
      connection_(std::move(connection)),
      heard_(now),
      asked_(now) {
  connection_.send_pushes_to(invalidations_);
  NoReplies nobody;
  (void)connection_.request();
  (void)connection_.start(nobody);  // nothing is asked for, and nothing owed
}

// A forked child may hold a copy of the socket, to which the server would go on talking.
Link::~Link() { (void)shutdown(connection_.descriptor(), SHUT_RDWR); }

Link::Time Link::due() const noexcept {
  const Time silence = heard_ + kLongestSilence;
  if (exchange() != nullptr) return silence;
  const Time reading = pending_tags_.empty() ? Time::max() : Time{};
  return std::min({silence, std::max(heard_, asked_) + kHeartbeat, verify_at_, reading});
}

bool Link::on_ready(short events, Time now) noexcept {
  NoReplies nobody;
  client::ReplySink* const sink = exchange();
  if (!connection_.step(sink == nullptr ? nobody : *sink, events).ok() || invalidations_.lost()) {
    return false;
  }
  heard_ = now;
  if (connection_.done()) end_exchange();
  return connection_.in_step();
}

bool Link::on_time(Time now) noexcept {
  if (now >= heard_ + kLongestSilence) return false;
  if (exchange() != nullptr) return true;
  try {
    if (now >= verify_at_) return begin_verification();
    if (!pending_tags_.empty()) return begin_reading();
    if (now < std::max(heard_, asked_) + kHeartbeat) return true;
    asked_ = now;
    return begin_ping();
  } catch (const std::exception&) {
    return false;
  }
}

client::ReplySink* Link::exchange() const noexcept {
  if (verification_) return verification_.get();
  return reading_ ? static_cast<client::ReplySink*>(reading_.get()) : ping_.get();
}

void Link::verify(OwnWrites::Recorded recorded) {
  std::ranges::move(recorded.tags, std::back_inserter(pending_tags_));
  if (recorded.keys.empty()) return;
  std::ranges::move(recorded.keys, std::back_inserter(pending_));
  // A key is recorded right before it is sent.
  verify_at_ = std::min(verify_at_, std::chrono::steady_clock::now() + kVerifyDelay);
}

void Link::on_changes(const Changes& changes) noexcept {
  if (changes.all) {
    pending_.clear();
    pending_tags_.clear();
    context_.facts.own_writes().clear();
    listener_.on_all_changed();
    return;
  }
  try {
    sort_keys(changes);
  } catch (const std::exception&) {
    hand_over(changes.keys);
  }
  sort_tags(changes);
  if (!changes.leases.empty()) listener_.on_leases_changed(changes.leases);
  generation_pending_ |= changes.generation;
  const bool is_something_to_ask = generation_pending_ || !pending_.empty();
  if (is_something_to_ask && verify_at_ == Time::max()) {
    verify_at_ = std::chrono::steady_clock::now() + kVerifyDelay;
  }
}

void Link::sort_keys(const Changes& changes) {
  foreign_.clear();
  for (const std::string_view key : changes.keys) {
    const auto fingerprint = codec::fingerprint(context_.namespace_name, key);
    if (context_.facts.own_writes().find(fingerprint) && pending_.size() < kMostPending) {
      pending_.emplace_back(key);
    } else {
      foreign_.push_back(key);
    }
  }
  hand_over(foreign_);
}

bool Link::remember(std::string_view tag) noexcept {
  if (pending_tags_.size() == kMostPending) return false;
  try {
    pending_tags_.emplace_back(tag);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// A tag whose stamp is not read is told of as having none.
void Link::sort_tags(const Changes& changes) noexcept {
  for (const std::string_view tag : changes.tags) {
    if (!remember(tag)) tell(base::TagStamp{.tag = tag});
  }
}

void Link::hand_over(std::span<const std::string_view> keys) noexcept {
  if (!keys.empty()) listener_.on_keys_changed(keys);
}

bool Link::begin_verification() {
  sort_distinct(pending_);
  const std::size_t count = std::min(pending_.size(), kVerifiedAtOnce);
  const auto rest = pending_.end() - static_cast<std::ptrdiff_t>(count);
  verified_keys_.assign(std::make_move_iterator(rest), std::make_move_iterator(pending_.end()));
  pending_.erase(rest, pending_.end());
  verification_ =
      std::make_unique<Verify>(context_, verified_keys_, std::exchange(generation_pending_, false));
  verify_at_ = pending_.empty() ? Time::max() : Time{};
  return begin(*verification_);
}

// Those that one reading leaves over are read by the next.
bool Link::begin_reading() {
  sort_distinct(pending_tags_);
  const std::size_t count = std::min(pending_tags_.size(), kVerifiedAtOnce);
  const auto rest = pending_tags_.end() - static_cast<std::ptrdiff_t>(count);
  read_tags_.assign(std::make_move_iterator(rest), std::make_move_iterator(pending_tags_.end()));
  pending_tags_.erase(rest, pending_tags_.end());
  const std::vector<std::string_view> tags(read_tags_.begin(), read_tags_.end());
  reading_ = std::make_unique<TagReading>(context_, tags);
  return begin(*reading_);
}

bool Link::begin_ping() {
  ping_ = std::make_unique<Heartbeat>(context_);
  return begin(*ping_);
}

bool Link::begin(command::Batch& batch) {
  batch.append(connection_.request());
  return connection_.start(batch).ok();
}

void Link::tell(const base::TagStamp& stamp) noexcept { listener_.on_stamps({&stamp, 1}); }

// Tags whose reading failed are told of as having none.
void Link::end_exchange() noexcept {
  ping_.reset();
  if (const auto read = std::move(reading_)) listener_.on_stamps(read->stamps());
  const std::unique_ptr<Verify> done = std::move(verification_);
  if (!done) return;
  if (done->generation_changed()) {
    context_.facts.own_writes().clear();
    listener_.on_all_changed();
  } else {
    hand_over(done->changed());
  }
}

}  // namespace vcache::l2::tracking
