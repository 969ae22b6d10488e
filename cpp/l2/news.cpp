#include "l2/news.hpp"

#include <exception>
#include <iterator>
#include <utility>

namespace vcache::l2 {

void News::tell(Event event) noexcept {
  const base::MutexLock lock(mutex_);
  try {
    if (events_.size() == kMost) events_.pop_front();
    events_.push_back(std::move(event));
    any_.store(true, std::memory_order_relaxed);
  } catch (const std::exception&) {
    return;  // memory is short, which is told of elsewhere
  }
}

std::vector<Event> News::take() {
  const base::MutexLock lock(mutex_);
  any_.store(false, std::memory_order_relaxed);
  std::vector<Event> out(std::make_move_iterator(events_.begin()),
                         std::make_move_iterator(events_.end()));
  events_.clear();
  return out;
}

}  // namespace vcache::l2
