#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/keeper.hpp"
#include "l1/access/access_lines.hpp"
#include "l1/access/log_file.hpp"

namespace vcache::l1 {

// Where a LogWriter gets accesses from, and whom it tells what became of them. Thread-safe.
class LogSource {
 public:
  LogSource() = default;
  LogSource(const LogSource&) = delete;
  LogSource& operator=(const LogSource&) = delete;

  // Those that came since the last call, in place of what `out` holds. Throws std::bad_alloc.
  virtual void take_unwritten(std::vector<Access>& out) = 0;
  // That many will not be written.
  virtual void count_dropped(std::uint64_t accesses) noexcept = 0;
  // Errors that were met, and what to tell an operator; may be empty.
  virtual void report(std::uint64_t errors, std::string notice) noexcept = 0;

 protected:
  ~LogSource() = default;
};

// Writes an access log on a keeper's thread, which alone knows the lines that the file has yet to
// take.
class LogWriter final : private base::Chore {
 public:
  // `source` and `groups` outlive it.
  LogWriter(LogSource& source, const LogFileOptions& file, const metrics::GroupTable& groups)
      : source_(source), file_(file), groups_(groups) {}

  // False where no thread can be had.
  [[nodiscard]] bool start() noexcept { return keeper_.add(*this); }
  // Ends the thread, if there is one, and writes what there is, where it can. Called once.
  void finish() noexcept;

 private:
  using SteadyClock = std::chrono::steady_clock;

  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}
  void write(bool at_once) noexcept;
  void write_batch(bool at_once);
  void append_batch();
  void send();
  void fail(const base::Error& error);

  // Constant after construction.
  LogSource& source_;

  // Of one thread at a time: finish() takes over when the thread has ended.
  LogFile file_;
  GroupNames groups_;
  std::vector<Access> batch_;
  std::string unsent_;
  std::uint64_t unsent_lines_ = 0;
  bool failed_ = false;
  SteadyClock::time_point retry_{};  // when it has failed

  base::Keeper keeper_;
};

}  // namespace vcache::l1
