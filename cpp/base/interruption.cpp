#include "base/interruption.hpp"

namespace vcache::base {

namespace {

std::atomic<Interruption> interruption{nullptr};

thread_local const std::atomic<bool>* own_stop = nullptr;

}  // namespace

void set_interruption(Interruption asked) noexcept {
  interruption.store(asked, std::memory_order_release);
}

void interrupt_when(const std::atomic<bool>& stop) noexcept { own_stop = &stop; }

bool interrupted() noexcept {
  if (own_stop != nullptr && own_stop->load(std::memory_order_relaxed)) return true;
  const Interruption asked = interruption.load(std::memory_order_acquire);
  return asked != nullptr && asked();
}

}  // namespace vcache::base
