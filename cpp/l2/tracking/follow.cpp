#include "l2/tracking/follow.hpp"

#include <exception>

namespace vcache::l2::tracking {

namespace {

// A look compares a few pointers. Keys of a server without link are unverified until it has one.
constexpr base::Millis kBetweenLooks{250};

}  // namespace

base::Millis Follow::run() noexcept {
  try {
    std::vector<std::shared_ptr<Dialer>> servers = servers_();
    if (!servers.empty() && servers != linked_) {
      links_.watch(servers);
      linked_ = std::move(servers);
    }
  } catch (const std::exception&) {
    return kBetweenLooks;
  }
  return kBetweenLooks;
}

}  // namespace vcache::l2::tracking
