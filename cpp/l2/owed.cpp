#include "l2/owed.hpp"

#include <exception>
#include <utility>

namespace vcache::l2 {

void Owed::add_clear() noexcept {
  const base::MutexLock lock(mutex_);
  debts_ = {.clear = true, .tags = {}};
  any_.store(true);
}

void Owed::add_tags(std::span<const std::string_view> tags) noexcept {
  const base::MutexLock lock(mutex_);
  add_locked(tags);
}

template <class Names>
void Owed::add_locked(const Names& tags) noexcept {
  any_.store(true);
  if (debts_.clear) return;
  try {
    debts_.tags.insert(debts_.tags.end(), tags.begin(), tags.end());
    debts_.clear = debts_.tags.size() > kMostTags;
  } catch (const std::exception&) {
    debts_.clear = true;
  }
  if (debts_.clear) debts_.tags = {};
}

Owed::Debts Owed::take() noexcept {
  const base::MutexLock lock(mutex_);
  return std::exchange(debts_, {});
}

void Owed::settle() noexcept {
  const base::MutexLock lock(mutex_);
  any_.store(debts_.clear || !debts_.tags.empty());
}

void Owed::owe(const Debts& debts) noexcept {
  if (debts.clear) return add_clear();
  const base::MutexLock lock(mutex_);
  add_locked(debts.tags);
  any_.store(debts_.clear || !debts_.tags.empty());
}

void Owed::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void Owed::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

}  // namespace vcache::l2
