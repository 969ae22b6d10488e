#include "l2/redis_leases.hpp"

#include <algorithm>

#include "l2/command/lease.hpp"
#include "l2/lease_watch.hpp"
#include "l2/session.hpp"

namespace vcache::l2 {

void RedisLeases::take(std::span<const std::string_view> keys, const LeaseTerms& terms,
                       std::span<Grant> grants) noexcept {
  std::ranges::fill(grants, Grant::kUnknown);
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr || keys.empty()) return;
  const client::Deadline deadline = mine->deadline();
  if (!mine->ready(deadline).ok() || mine->node().writes_paused()) return;
  LeaseTerms asked = terms;
  asked.unless_stored = asked.unless_stored && !mine->several();
  command::TakeLeases batch(mine->node().context(), keys, asked, grants);
  (void)mine->run_own(batch, deadline);
}

void RedisLeases::give_up(std::span<const std::string_view> keys, std::string_view token) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr || keys.empty()) return;
  command::GiveUpLeases batch(mine->node().context(), keys, token);
  (void)mine->run_own(batch, mine->deadline());  // what stays runs out
}

std::unique_ptr<LeaseWait> RedisLeases::watch(std::span<const std::string_view> keys) {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr) return no_leases().watch(keys);
  return std::make_unique<LeaseWatch>(*mine, keys);
}

}  // namespace vcache::l2
