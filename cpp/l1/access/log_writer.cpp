#include "l1/access/log_writer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/clock.hpp"

namespace vcache::l1 {

namespace {

constexpr base::Millis kPause{10};
constexpr base::Millis kRetry{1000};
constexpr std::size_t kMostUnsent = std::size_t{8} << 20;

}  // namespace

void LogWriter::finish() noexcept {
  keeper_.stop();
  write(true);
  source_.count_dropped(unsent_lines_);
}

base::Millis LogWriter::run() noexcept {
  write(false);
  return kPause;
}

// When memory is short, what was not taken waits for another time.
void LogWriter::write(bool at_once) noexcept {
  try {
    write_batch(at_once);
  } catch (const std::exception&) {
    source_.report(1, {});
  }
}

void LogWriter::write_batch(bool at_once) {
  source_.take_unwritten(batch_);
  append_batch();
  const bool may_send = at_once || !failed_ || SteadyClock::now() >= retry_;
  if (!unsent_.empty() && may_send) send();
}

void LogWriter::append_batch() {
  const bool is_full = unsent_.size() >= kMostUnsent;
  if (is_full) return source_.count_dropped(batch_.size());
  for (const Access& access : batch_) append_line(access, groups_, unsent_);
  unsent_lines_ += batch_.size();
}

void LogWriter::send() {
  std::size_t written = 0;
  const base::Error error = file_.append(unsent_, written);
  const auto end = unsent_.begin() + static_cast<std::ptrdiff_t>(written);
  unsent_lines_ -= static_cast<std::uint64_t>(std::count(unsent_.begin(), end, '\n'));
  unsent_.erase(unsent_.begin(), end);
  if (!error.ok()) return fail(error);
  if (failed_) source_.report(0, "access_log='" + file_.path() + "' is written to again");
  failed_ = false;
}

void LogWriter::fail(const base::Error& error) {
  retry_ = SteadyClock::now() + kRetry;
  std::string notice;
  if (!failed_) {
    notice = "access_log='" + file_.path() + "' cannot be written to: " + error.detail +
             "; it is tried again every second, and what comes meanwhile may be lost";
  }
  failed_ = true;
  source_.report(1, std::move(notice));
}

}  // namespace vcache::l1
