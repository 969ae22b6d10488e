#pragma once

#include <atomic>

namespace vcache::base {

// Says whether the calling thread is to stop waiting.
using Interruption = bool (*)() noexcept;

// To be asked by every thread that waits, which then holds no lock of ours. Thread-safe.
void set_interruption(Interruption interruption) noexcept;
// Has the calling thread's waits end also once `stop` is true, for as long as the thread lives.
void interrupt_when(const std::atomic<bool>& stop) noexcept;
// Asks it, if there is one.
[[nodiscard]] bool interrupted() noexcept;

}  // namespace vcache::base
