#include "cache/owed_patterns.hpp"

#include <algorithm>

#include "base/glob.hpp"

namespace vcache::cache {

bool OwedPatterns::take(std::string_view key) const noexcept {
  if (!any()) return false;
  const base::MutexLock lock(mutex_);
  return std::ranges::any_of(
      patterns_, [key](const std::string& each) { return base::matches_glob(each, key); });
}

bool OwedPatterns::add(std::string_view pattern) {
  const base::MutexLock lock(mutex_);
  if (std::ranges::find(patterns_, pattern) != patterns_.end()) return true;
  if (patterns_.size() == kMost) return false;
  patterns_.emplace_back(pattern);
  any_.store(true);
  return true;
}

std::string OwedPatterns::oldest() const {
  const base::MutexLock lock(mutex_);
  return patterns_.empty() ? std::string() : patterns_.front();
}

void OwedPatterns::remove_oldest() noexcept {
  const base::MutexLock lock(mutex_);
  if (!patterns_.empty()) patterns_.erase(patterns_.begin());
  any_.store(!patterns_.empty());
}

void OwedPatterns::clear() noexcept {
  const base::MutexLock lock(mutex_);
  patterns_.clear();
  any_.store(false);
}

void OwedPatterns::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void OwedPatterns::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  mutex_.unlock();
}

}  // namespace vcache::cache
