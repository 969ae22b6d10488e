#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "l2/dialer.hpp"
#include "l2/keeper.hpp"
#include "l2/tracking/links.hpp"

namespace vcache::l2::tracking {

// Has the links go to the servers that hold keys now, where these come and go. A chore.
class Follow final : public Chore {
 public:
  using Servers = std::function<std::vector<std::shared_ptr<Dialer>>()>;

  Follow(Links& links, Servers servers) : links_(links), servers_(std::move(servers)) {}

  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}

 private:
  Links& links_;
  const Servers servers_;
  std::vector<std::shared_ptr<Dialer>> linked_;  // of the keeper's thread
};

}  // namespace vcache::l2::tracking
