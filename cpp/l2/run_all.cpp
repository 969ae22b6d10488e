#include "l2/run_all.hpp"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <functional>
#include <vector>

#include "l2/client/wait.hpp"
#include "l2/errand.hpp"

namespace vcache::l2 {

namespace {

using Errands = std::deque<Errand>;

bool needs_connection(const Errand& errand) noexcept {
  return !errand.over() && !errand.under_way();
}

// Sends off those for which a connection lies ready, or else all that need one: each has its even
// share of the time left to get it. False: none needs any.
bool send_off(Errands& errands, client::Deadline deadline) noexcept {
  bool any = false;
  for (Errand& errand : errands) any = errand.take_idle() || any;
  if (any) return true;
  std::ptrdiff_t left = std::ranges::count_if(errands, needs_connection);
  if (left == 0) return false;
  for (Errand& errand : errands) {
    if (!needs_connection(errand)) continue;
    const auto now = client::Deadline::clock::now();
    errand.connect(now + (deadline - now) / left--);
  }
  return true;
}

// Until none is under way.
void see_through(Errands& errands, client::Deadline deadline) {
  std::vector<std::reference_wrapper<Errand>> active;
  std::vector<pollfd> entries;
  for (;;) {
    active.clear();
    entries.clear();
    for (Errand& errand : errands) {
      if (!errand.under_way()) continue;
      active.emplace_back(errand);
      entries.push_back(errand.wants());
    }
    if (active.empty()) return;
    const base::Error error = client::wait_any(entries, deadline);
    for (std::size_t i = 0; i < active.size(); ++i) {
      if (!error.ok()) {
        active[i].get().give_up(error);
      } else if (entries[i].events == 0 || entries[i].revents != 0) {
        active[i].get().step(entries[i].revents);
      }
    }
  }
}

}  // namespace

void run_all(std::span<Job> jobs, client::Deadline deadline) noexcept {
  if (jobs.size() == 1) {
    jobs[0].error = jobs[0].node.run(jobs[0].batch, deadline);
    return;
  }
  try {
    Errands errands;
    for (Job& job : jobs) errands.emplace_back(job.node, job.batch);
    while (send_off(errands, deadline)) see_through(errands, deadline);
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].error = errands[i].take_error();
  } catch (const std::exception&) {
    for (Job& job : jobs) job.error = {base::ErrorCode::kServer};
  }
}

}  // namespace vcache::l2
