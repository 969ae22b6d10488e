#include "l1/access/access_log.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace vcache::l1 {

namespace {

constexpr std::size_t kRingRecords = std::size_t{1} << 16;  // of all rings together
constexpr std::size_t kLeastRing = 4096;
constexpr std::size_t kMostUnwritten = std::size_t{1} << 18;
constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kJump = 1000;  // milliseconds; a clock that goes back by less is corrected

// Of numbers that wrap round.
bool is_before(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

base::Error AccessLogOptions::validate() const {
  if (file.path.empty()) return {};
  const base::Error error = LogFile(file).check();
  if (error.ok()) return {};
  return {base::ErrorCode::kInvalid,
          "access_log='" + file.path + "': " + error.detail +
              "; allowed is the path of a file that this process may make, read and write"};
}

AccessLog::AccessLog(const AccessLogOptions& options, std::size_t shards, const base::Clock& clock,
                     const metrics::GroupTable& groups)
    : file_(options.file), seed_(options.seed), clock_(clock), groups_(groups) {
  const std::size_t capacity = std::max(kRingRecords / shards, kLeastRing);
  for (std::size_t i = 0; i < shards; ++i) rings_.push_back(std::make_unique<AccessRing>(capacity));
  kept_.reserve(kKept);
}

// Where no thread can be had, records are dropped once the rings are full.
void AccessLog::start() noexcept {
  const base::MutexLock lock(mutex_);
  if (begun_.load(std::memory_order_relaxed)) return;
  begun_.store(true, std::memory_order_relaxed);
  try {
    writer_ = make_writer();
    if (!writer_->start()) ++errors_;
  } catch (const std::exception&) {
    ++errors_;
  }
}

void AccessLog::close() noexcept {
  if (const std::unique_ptr<LogWriter> writer = take_writer()) writer->finish();
}

std::unique_ptr<LogWriter> AccessLog::make_writer() {
  LogSource& source = *this;
  return std::make_unique<LogWriter>(source, file_, groups_);
}

// One without a thread where there is none but something to write.
std::unique_ptr<LogWriter> AccessLog::take_writer() noexcept {
  const base::MutexLock lock(mutex_);
  begun_.store(false, std::memory_order_relaxed);
  if (writer_) return std::move(writer_);
  try {
    collect();
    if (!unwritten_.empty()) return make_writer();
  } catch (const std::exception&) {
    ++errors_;
  }
  return nullptr;
}

std::vector<Access> AccessLog::newest(std::size_t most) {
  const base::MutexLock lock(mutex_);
  collect();
  std::vector<Access> out;
  const std::size_t count = std::min(most, kept_.size());
  out.reserve(count);
  for (std::size_t i = kept_.size() - count; i < kept_.size(); ++i) {
    out.push_back(kept_[(oldest_ + i) % kept_.size()]);
    out.back().group = GroupNames::bounded(out.back().group);
  }
  return out;
}

AccessLog::Counts AccessLog::counts() const noexcept {
  const base::MutexLock lock(mutex_);
  Counts counts{.dropped = dropped_, .errors = errors_};
  for (const auto& ring : rings_) {
    counts.recorded += ring->accepted();
    counts.dropped += ring->dropped();
  }
  counts.recorded -= dropped_;
  return counts;
}

std::optional<std::string> AccessLog::take_notice() {
  const base::MutexLock lock(mutex_);
  if (!has_notice_.exchange(false, std::memory_order_relaxed)) return std::nullopt;
  return std::exchange(notice_, {});
}

// What took its place after this began is left for the next time, for one of an earlier place may
// have come to a ring that was emptied before.
void AccessLog::collect() {
  const std::uint32_t end = places_.load(std::memory_order_acquire);
  for (const auto& ring : rings_) ring->take(collected_);
  if (rings_.size() > 1) std::ranges::stable_sort(collected_, is_before, &Access::order);
  const auto later = std::ranges::partition_point(
      collected_, [end](const Access& access) { return is_before(access.order, end); });
  deliver({collected_.begin(), later});
  collected_.erase(collected_.begin(), later);
}

void AccessLog::deliver(std::span<Access> accesses) {
  const std::size_t room = kMostUnwritten - std::min(unwritten_.size(), kMostUnwritten);
  const std::size_t taken = std::min(room, accesses.size());
  unwritten_.reserve(unwritten_.size() + taken);  // so that all that follows succeeds
  const std::int64_t offset = clock_.wall().count() - clock_.steady().count() / kNanosPerMilli;
  for (Access& access : accesses) {
    date(access, offset);
    keep(access);
  }
  unwritten_.insert(unwritten_.end(), accesses.begin(),
                    accesses.begin() + static_cast<std::ptrdiff_t>(taken));
  dropped_ += accesses.size() - taken;
}

// When memory is short, what the rings hold waits for another time.
void AccessLog::collect_if_possible() noexcept {
  try {
    collect();
  } catch (const std::exception&) {
    ++errors_;
  }
}

// From the steady clock to the wall clock. Times grow in the order of the accesses, each of which
// read the clock before it took its place; but where the wall clock was set back they follow it.
void AccessLog::date(Access& access, std::int64_t offset) noexcept {
  const std::int64_t time = access.time / kNanosPerMilli + offset;
  const bool is_behind = time < last_time_ && last_time_ - time < kJump;
  access.time = is_behind ? last_time_ : time;
  last_time_ = access.time;
}

void AccessLog::keep(const Access& access) noexcept {
  if (kept_.size() < kKept) return kept_.push_back(access);
  kept_[oldest_] = access;
  oldest_ = (oldest_ + 1) % kKept;
}

void AccessLog::take_unwritten(std::vector<Access>& out) {
  out.clear();
  const base::MutexLock lock(mutex_);
  collect();
  out.swap(unwritten_);
}

void AccessLog::count_dropped(std::uint64_t accesses) noexcept {
  const base::MutexLock lock(mutex_);
  dropped_ += accesses;
}

void AccessLog::report(std::uint64_t errors, std::string notice) noexcept {
  const base::MutexLock lock(mutex_);
  errors_ += errors;
  if (notice.empty()) return;
  notice_ = std::move(notice);
  has_notice_.store(true, std::memory_order_relaxed);
}

void AccessLog::before_fork() noexcept {
  mutex_.lock();
  collect_if_possible();
}

void AccessLog::after_fork_in_parent() noexcept { mutex_.unlock(); }

// What waits to be written is the parent's to write, and so is what its writer holds, which lies
// there for ever: its thread may have been anywhere in it.
void AccessLog::after_fork_in_child() noexcept {
  [[maybe_unused]] const LogWriter* const parents = writer_.release();
  unwritten_.clear();
  begun_.store(false, std::memory_order_relaxed);
  mutex_.unlock();
}

}  // namespace vcache::l1
