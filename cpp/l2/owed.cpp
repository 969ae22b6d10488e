#include "l2/owed.hpp"

#include <exception>

namespace vcache::l2 {

void Owed::add_clear() noexcept {
  const base::MutexLock lock(mutex_);
  add_clear_locked();
}

void Owed::add_clear_locked() noexcept {
  clear_ = ++last_;
  tags_.clear();
  any_.store(true);
}

void Owed::add_tags(std::span<const std::string_view> tags) noexcept {
  const base::MutexLock lock(mutex_);
  any_.store(true);
  if (tags_.size() + tags.size() > kMostTags) return add_clear_locked();
  try {
    for (const std::string_view tag : tags) tags_.push_back({++last_, std::string(tag)});
  } catch (const std::exception&) {
    add_clear_locked();
  }
}

Owed::Debts Owed::oldest(std::size_t tags) const {
  const base::MutexLock lock(mutex_);
  if (clear_ != 0) return {.clear = true, .last = clear_};
  Debts out{.last = last_};
  for (const Tag& tag : tags_) {
    if (out.tags.size() == tags) break;
    out.tags.push_back(tag.name);
    out.last = tag.number;
  }
  return out;
}

std::uint64_t Owed::last() const noexcept {
  const base::MutexLock lock(mutex_);
  return last_;
}

void Owed::settle(std::uint64_t last) noexcept {
  const base::MutexLock lock(mutex_);
  if (clear_ <= last) clear_ = 0;
  while (!tags_.empty() && tags_.front().number <= last) tags_.pop_front();
  any_.store(clear_ != 0 || !tags_.empty());
}

void Owed::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void Owed::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

}  // namespace vcache::l2
