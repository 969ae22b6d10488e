#include "l2/client/resolver.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/interruption.hpp"
#include "base/mutex.hpp"
#include "l2/client/wait.hpp"

namespace vcache::l2::client {

namespace {

struct AddressListDeleter {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

bool is_numeric(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> address;  // NOLINT(*-member-init)
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

std::string to_text(const addrinfo& entry) {
  std::array<char, NI_MAXHOST> text{};
  if (getnameinfo(entry.ai_addr, entry.ai_addrlen, text.data(), text.size(), nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return {};
  }
  return text.data();
}

std::vector<std::string> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, AddressListDeleter> owner(list);
  std::vector<std::string> out;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (std::string text = to_text(*entry); !text.empty()) out.push_back(std::move(text));
  }
  return out;
}

}  // namespace

struct Resolver::State {
  base::Mutex mutex;
  base::CondVar changed;
  bool running VCACHE_GUARDED_BY(mutex) = false;
  std::uint64_t finished VCACHE_GUARDED_BY(mutex) = 0;
  std::vector<std::string> addresses VCACHE_GUARDED_BY(mutex);

  void run(const std::string& host) noexcept {
    std::vector<std::string> found;
    try {
      found = look_up(host);
    } catch (const std::exception&) {
      found.clear();
    }
    const base::MutexLock lock(mutex);
    addresses = std::move(found);
    running = false;
    ++finished;
    changed.notify_all();
  }

  // What the look-ups after the first `count` found, if one has ended by `until`.
  std::optional<std::vector<std::string>> wait_past(std::uint64_t count, Deadline until) {
    const base::MutexLock lock(mutex);
    while (finished == count) {
      if (!changed.wait_until(mutex, until)) break;
    }
    return finished == count ? std::nullopt : std::optional(addresses);
  }
};

Resolver::Resolver(std::string host)
    : host_(std::move(host)), numeric_(is_numeric(host_)), state_(std::make_shared<State>()) {}

base::Result<std::vector<std::string>> Resolver::resolve(Deadline deadline) {
  if (numeric_) return std::vector<std::string>{host_};
  const std::uint64_t before = start();
  for (auto now = Deadline::clock::now(); now < deadline; now = Deadline::clock::now()) {
    const auto found = state_->wait_past(before, std::min(deadline, now + kLongestSlice));
    if (found && !found->empty()) return *found;
    if (found) return base::Error{base::ErrorCode::kConnect, "the host name has no address"};
    if (base::interrupted()) return base::Error{base::ErrorCode::kInterrupted, "a signal came"};
  }
  return base::Error{base::ErrorCode::kTimeout, "looking up the host name took too long"};
}

// Has a look-up run, and tells how many had ended before.
std::uint64_t Resolver::start() {
  const base::MutexLock lock(state_->mutex);
  if (!state_->running) {
    std::thread([shared = state_, host = host_] { shared->run(host); }).detach();
    state_->running = true;
  }
  return state_->finished;
}

}  // namespace vcache::l2::client
