#include "l2/tracking/links.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "l2/tracking/subscribe.hpp"

namespace vcache::l2::tracking {

namespace {

using std::chrono::milliseconds;

constexpr base::Millis kLeastPause{50};
constexpr base::Millis kMostPause{1000};
constexpr base::Millis kRefusedPause{30'000};
constexpr milliseconds kSteady{1000};  // a link that lived so long was no failure
// How long what enters memory before the first link is there is trusted, as it would be while a
// link is silent.
constexpr milliseconds kFirstLink{2500};
// A stop waits for a connection being made.
constexpr milliseconds kLongestDial{800};
// What closes the connection so often at our first words does not know them.
constexpr int kMostHangUps = 3;
// What a call may take beyond its timeout on a busy machine.
constexpr milliseconds kTimeoutSlack{500};
constexpr milliseconds kLatePause{20};
constexpr base::Millis kLongAfter = std::chrono::hours(1);

std::chrono::steady_clock::time_point steady_now() noexcept {
  return std::chrono::steady_clock::now();
}

bool is_hang_up(base::ErrorCode code) noexcept {
  return code == base::ErrorCode::kDisconnected || code == base::ErrorCode::kProtocol;
}

}  // namespace

Links::Links(const RedisOptions& options, const command::Context& context, Listener& listener,
             Servers servers)
    : options_(options),
      context_(context),
      listener_(listener),
      servers_(std::move(servers)),
      state_(options.tracking ? State::kDown : State::kOff) {}

Links::~Links() { stop(); }

// Either this sees that the links are up, or come_up() that the servers have changed.
void Links::on_servers_changed() noexcept {
  servers_changed_.store(true);
  if (state_.load() == State::kUp) {
    listener_.on_link_down();
    servers_changed_.store(true);  // so that a round comes after it, which ends it
  }
  const base::MutexLock lock(mutex_);
  wake_up_.ring();
}

// Whoever comes meanwhile waits, so that all that it does is recorded.
void Links::begin() noexcept {
  bool listens = false;
  {
    const base::MutexLock lock(mutex_);
    if (started_.load(std::memory_order_relaxed)) return;
    if (options_.tracking) {
      began_ = steady_now();
      try {
        wake_up_.open();
        context_.facts.own_writes().enable();
        listens = listening_.add(*this);
      } catch (const std::exception&) {
        listens = false;
      }
    }
    started_.store(true, std::memory_order_release);
  }
  if (listens || !options_.tracking) return;
  state_.store(State::kNone);
  listener_.on_no_link();
}

void Links::stop() noexcept {
  wake_up_.ring();
  listening_.stop();
  dialler_.stop();
  const base::MutexLock lock(mutex_);
  wake_up_.close();
  peers_.clear();
  dialled_.clear();
  descriptors_.clear();
}

base::Millis Links::run() noexcept {
  try {
    go_round();
  } catch (const std::exception&) {
    for (Peer& peer : peers_) lose(peer, steady_now());
    return kLeastPause;
  }
  return base::Millis{0};
}

void Links::go_round() {
  take_servers();
  take_dialled();
  const Time now = steady_now();
  verify_late(now);
  for (Peer& peer : peers_) tend(peer, now);
  settle(now);
  wait_and_hear();
  settle(steady_now());
}

void Links::take_servers() {
  if (!servers_changed_.exchange(false)) return;
  std::vector<Peer> peers;
  try {
    for (const auto& server : servers_()) peers.push_back({.server = server});
    const base::MutexLock lock(mutex_);
    descriptors_.reserve(peers.size());
  } catch (const std::exception&) {
    servers_changed_.store(true);
    throw;
  }
  if (peers.empty()) return go_down_if_up();
  for (Peer& peer : peers) {
    const auto known = std::ranges::find(peers_, peer.server, &Peer::server);
    if (known != peers_.end()) peer = std::move(*known);
  }
  peers_.swap(peers);
  note_descriptors();
  go_down_if_up();  // and up again, when all have links
}

void Links::take_dialled() {
  for (;;) {
    std::list<Dialled> one;
    {
      const base::MutexLock lock(mutex_);
      if (dialled_.empty()) return;
      one.splice(one.end(), dialled_, dialled_.begin());
    }
    const auto peer = std::ranges::find(peers_, one.front().server, &Peer::server);
    if (peer != peers_.end()) adopt(*peer, std::move(one.front()));
    note_descriptors();
  }
}

void Links::adopt(Peer& peer, Dialled dialled) {
  const Time now = steady_now();
  peer.dialing = false;
  if (dialled.connection) {
    peer.link = std::make_unique<Link>(std::move(*dialled.connection), context_, listener_, now);
    peer.refused = false;
    peer.hang_ups = 0;
    peer.since = now;
    return;
  }
  peer.hang_ups = dialled.hung_up ? peer.hang_ups + 1 : 0;
  peer.refused |= dialled.refused || (!ever_up_ && peer.hang_ups >= kMostHangUps);
  put_off(peer, now);
  if (!peer.refused && !dialled.credentials) return;
  peer.pause = kRefusedPause;
  peer.next_attempt = now + peer.pause;
}

void Links::put_off(Peer& peer, Time now) noexcept {
  peer.pause = std::clamp(2 * peer.pause, kLeastPause, kMostPause);
  peer.next_attempt = now + peer.pause;
}

void Links::tend(Peer& peer, Time now) {
  if (peer.link) {
    if (!peer.link->on_time(now)) lose(peer, now);
  } else if (!peer.dialing && now >= peer.next_attempt) {
    order(peer, now);
  }
}

void Links::lose(Peer& peer, Time now) {
  const std::unique_ptr<Link> lost = std::move(peer.link);
  if (!lost) return;
  note_descriptors();  // before its number can be another file's
  if (now - peer.since >= kSteady) peer.pause = base::Millis{0};
  put_off(peer, now);
}

void Links::order(Peer& peer, Time now) {
  std::list<Dialled> order(1);
  order.front().server = peer.server;
  {
    const base::MutexLock lock(mutex_);
    orders_.splice(orders_.end(), order);
  }
  peer.dialing = dialler_.add(dialling_);
  if (peer.dialing) return;
  // There is no thread that would dial.
  const base::MutexLock lock(mutex_);
  orders_.remove_if([&peer](const Dialled& each) { return each.server == peer.server; });
  put_off(peer, now);
}

base::Millis Links::Dialling::run() noexcept {
  while (!links_.dialler_.stopping()) {
    std::list<Dialled> order;
    {
      const base::MutexLock lock(links_.mutex_);
      if (links_.orders_.empty()) break;
      order.splice(order.end(), links_.orders_, std::prev(links_.orders_.end()));
    }
    links_.dial(std::move(order));
  }
  return kLongAfter;
}

void Links::dial(std::list<Dialled> order) noexcept {
  try {
    connect(order.front());
  } catch (const std::exception&) {
    order.front().connection.reset();  // out of memory: as if nobody had answered
  }
  {
    const base::MutexLock lock(mutex_);
    dialled_.splice(dialled_.end(), order);
  }
  wake_up_.ring();
}

void Links::connect(Dialled& out) {
  const auto longest = std::min<milliseconds>(options_.connect_timeout, kLongestDial);
  const client::Deadline deadline = steady_now() + longest;
  auto connection = out.server->connect(deadline);
  if (!connection.ok()) return;
  Subscribe subscription(context_, options_);
  subscription.append(connection.value().request());
  const base::Error error = connection.value().exchange(subscription, deadline);
  out.refused = subscription.refused();
  out.credentials = subscription.health() == client::Health::kCredentials;
  out.hung_up = is_hang_up(error.code) && subscription.error().ok();
  if (error.ok() && subscription.error().ok()) {
    out.connection = std::make_unique<client::Connection>(std::move(connection.value()));
  }
}

Links::Time Links::next_due() const noexcept {
  Time due = told_down_ || state() != State::kDown ? Time::max() : began_ + kFirstLink;
  if (late_until_ != Time{}) due = std::min(due, steady_now() + kLatePause);
  for (const Peer& peer : peers_) {
    if (peer.link) {
      due = std::min(due, peer.link->due());
    } else if (!peer.dialing) {
      due = std::min(due, peer.next_attempt);
    }
  }
  return due;
}

void Links::wait_and_hear() {
  std::vector<pollfd> entries{{.fd = wake_up_.descriptor(), .events = POLLIN, .revents = 0}};
  bool hurry = listening_.stopping();
  for (const Peer& peer : peers_) {
    const short wants = peer.link ? peer.link->wants() : short{0};
    const int descriptor = peer.link ? peer.link->descriptor() : -1;
    hurry |= peer.link && wants == 0;
    entries.push_back({.fd = descriptor, .events = wants, .revents = 0});
  }
  constexpr auto kLongest = milliseconds(60'000);
  const auto left = std::chrono::ceil<milliseconds>(next_due() - steady_now());
  const auto pause =
      std::clamp<milliseconds>(hurry ? milliseconds(0) : left, milliseconds(0), kLongest);
  (void)poll(entries.data(), entries.size(), static_cast<int>(pause.count()));
  if (entries[0].revents != 0) wake_up_.hush();
  const Time now = steady_now();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const pollfd& entry = entries[i + 1];
    if (!peers_[i].link || (entry.revents == 0 && entry.events != 0)) continue;
    if (!peers_[i].link->on_ready(entry.revents, now)) lose(peers_[i], now);
  }
}

void Links::settle(Time now) {
  const auto refused = [](const Peer& peer) { return peer.refused; };
  const auto linked = [](const Peer& peer) { return peer.link != nullptr; };
  const State before = state();
  if (std::ranges::any_of(peers_, refused)) {
    if (before != State::kNone) give_up();
  } else if (!peers_.empty() && std::ranges::all_of(peers_, linked)) {
    if (before != State::kUp) come_up();
  } else if (before != State::kDown || (!told_down_ && now >= began_ + kFirstLink)) {
    go_down();
  }
}

void Links::come_up() {
  if (!verify_recorded()) {
    listener_.on_gap();
    listener_.on_link_down();
  }
  listener_.on_link_up();
  ever_up_ = true;
  told_down_ = false;
  state_.store(State::kUp);
  if (servers_changed_.load()) listener_.on_link_down();
}

// False: what was there before the link is not to be told from what changed since.
bool Links::verify_recorded() {
  auto recorded = context_.facts.own_writes().take_recorded();
  if (ever_up_ || told_down_ || !recorded || peers_.size() != 1) return false;
  peers_.front().link->verify(std::move(*recorded));
  late_until_ = steady_now() + options_.timeout + kTimeoutSlack;
  return true;
}

void Links::verify_late(Time now) {
  if (state() != State::kUp || late_until_ == Time{}) return;
  if (now >= late_until_) late_until_ = {};
  if (auto recorded = context_.facts.own_writes().take_recorded()) {
    peers_.front().link->verify(std::move(*recorded));
  } else {
    go_down();  // and up again
  }
}

void Links::go_down_if_up() noexcept {
  if (state() == State::kUp) go_down();
}

void Links::go_down() noexcept {
  listener_.on_link_down();
  (void)context_.facts.own_writes().take_recorded();
  context_.facts.own_writes().clear();
  told_down_ = true;
  state_.store(State::kDown);
}

void Links::give_up() noexcept {
  if (ever_up_ || told_down_) go_down();
  (void)context_.facts.own_writes().take_recorded();
  told_down_ = true;
  state_.store(State::kNone);
  listener_.on_no_link();
}

void Links::note_descriptors() {
  const base::MutexLock lock(mutex_);
  descriptors_.clear();
  for (const Peer& peer : peers_) {
    if (peer.link) descriptors_.push_back(peer.link->descriptor());
  }
}

void Links::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void Links::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

// What is left of an ancestor's links after a second fork is nobody's business, and its listener
// may be gone.
void Links::after_fork_in_child() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  if (std::exchange(parents_, true)) return mutex_.unlock();
  for (const int descriptor : descriptors_) ::close(descriptor);
  wake_up_.close();
  if (started_.load() && (state() == State::kUp || state() == State::kDown)) {
    listener_.on_link_down();
  }
  mutex_.unlock();
}

std::string_view to_string(Links::State state) noexcept {
  switch (state) {
    case Links::State::kOff:
      return "off";
    case Links::State::kUp:
      return "tracking";
    case Links::State::kNone:
      return "ttl";
    default:
      return "down";
  }
}

}  // namespace vcache::l2::tracking
