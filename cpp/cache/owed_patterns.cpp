#include "cache/owed_patterns.hpp"

#include <algorithm>

#include "base/glob.hpp"

namespace vcache::cache {

bool OwedPatterns::take(std::string_view key) const noexcept {
  if (!any()) return false;
  const base::MutexLock lock(mutex_);
  return std::ranges::any_of(
      debts_, [key](const Debt& each) { return base::matches_glob(each.pattern, key); });
}

bool OwedPatterns::add(std::string_view pattern, const l2::L2::Progress& progress) {
  const base::MutexLock lock(mutex_);
  std::erase_if(debts_, [pattern](const Debt& each) { return each.pattern == pattern; });
  if (debts_.size() == kMost) return false;
  debts_.push_back({.number = last_ + 1,
                    .pattern = std::string(pattern),
                    .progress = {.servers = progress.servers}});
  ++last_;
  any_.store(true);
  return true;
}

std::optional<OwedPatterns::Debt> OwedPatterns::oldest() const {
  const base::MutexLock lock(mutex_);
  if (debts_.empty()) return std::nullopt;
  return debts_.front();
}

void OwedPatterns::keep(const Debt& debt) {
  const base::MutexLock lock(mutex_);
  for (Debt& each : debts_) {
    if (each.number == debt.number) each.progress.servers = debt.progress.servers;
  }
}

void OwedPatterns::settle(std::uint64_t number) noexcept {
  const base::MutexLock lock(mutex_);
  std::erase_if(debts_, [number](const Debt& each) { return each.number == number; });
  any_.store(!debts_.empty());
}

void OwedPatterns::clear() noexcept {
  const base::MutexLock lock(mutex_);
  debts_.clear();
  any_.store(false);
}

void OwedPatterns::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void OwedPatterns::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  mutex_.unlock();
}

}  // namespace vcache::cache
