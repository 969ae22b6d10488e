#include "l2/client/resolver.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "base/mutex.hpp"

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
};

Resolver::Resolver(std::string host)
    : host_(std::move(host)), numeric_(is_numeric(host_)), state_(std::make_shared<State>()) {}

base::Result<std::vector<std::string>> Resolver::resolve(Deadline deadline) {
  if (numeric_) return std::vector<std::string>{host_};
  State& state = *state_;
  const base::MutexLock lock(state.mutex);
  if (!state.running) {
    std::thread([shared = state_, host = host_] { shared->run(host); }).detach();
    state.running = true;
  }
  const std::uint64_t before = state.finished;
  while (state.finished == before) {
    if (!state.changed.wait_until(state.mutex, deadline) && state.finished == before) {
      return base::Error{base::ErrorCode::kTimeout, "looking up the host name took too long"};
    }
  }
  if (state.addresses.empty()) {
    return base::Error{base::ErrorCode::kConnect, "the host name has no address"};
  }
  return state.addresses;
}

}  // namespace vcache::l2::client
