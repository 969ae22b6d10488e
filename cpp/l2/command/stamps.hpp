#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/tags.hpp"
#include "l2/command/batch.hpp"

// The stamp of a namespace is a number that only grows: the time in microseconds of the last
// invalidation of a tag, or one more than the one before where that is later. A tag's own key has
// the stamp of its last invalidation; a value bears the one that was there before it was made, and
// is over when one of its tags has a later one, or none. So an entry made before is never served
// after, however long its making takes, and a key that Redis evicted ends entries rather than
// bringing them back.
namespace vcache::l2::command {

// Reads the stamps of tags, and that of the namespace behind them.
class ReadStamps : public Batch {
 public:
  // What the tags are views of outlives it.
  ReadStamps(const Context& context, std::span<const std::string_view> tags);

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // True when they were read.
  [[nodiscard]] bool known() const noexcept { return known_; }
  // True when the server will not do that for this user, now or later.
  [[nodiscard]] bool forbidden() const noexcept { return forbidden_; }
  // In the order of the tags.
  [[nodiscard]] std::span<const base::TagStamp> stamps() const noexcept { return stamps_; }
  [[nodiscard]] std::uint64_t stamp() const noexcept { return stamp_; }

 protected:
  // Adds the reading, behind that many other commands of ours.
  void append_reading(client::Request& request, std::size_t behind);
  void append_tag_command(client::Request& request, std::size_t arguments, std::string_view name,
                          std::string_view tag) const;
  // Has the tag's own key have the stamp of the namespace.
  void append_copy(client::Request& request, std::string_view tag, bool even_if_there) const;
  // The same for all tags, whatever they had.
  void append_copies(client::Request& request) const;
  void note(const client::ReplyPart& error) noexcept;
  // What they are by now.
  void set_all(std::uint64_t stamp) noexcept;

 private:
  std::vector<base::TagStamp> stamps_;
  std::size_t reading_ = 0;  // which reply is that
  std::uint64_t stamp_ = 0;
  bool known_ = false;
  bool forbidden_ = false;
};

// The same, after it made those that there are none of. Tags are kept for values that live as long
// as `ttl`, 0: for ten years.
class TakeStamp final : public ReadStamps {
 public:
  TakeStamp(const Context& context, std::span<const std::string_view> tags, base::Millis ttl)
      : ReadStamps(context, tags), ttl_(ttl) {}

  void append(client::Request& request) override;

 private:
  const base::Millis ttl_;
};

// Steps the stamp of the namespace to the time, or one further where that is past, and gives it to
// the tags: WATCH guards from the reading to the writing, in two exchanges on one connection. Does
// nothing, and knows nothing, where somebody else stepped it in between.
class StepStamp final : public ReadStamps {
 public:
  using ReadStamps::ReadStamps;

  void append(client::Request& request) override;
  [[nodiscard]] bool append_next(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  void on_read(const client::ReplyPart& part) noexcept;

  bool reading_ = true;
  bool watched_ = false;
  bool in_transaction_ = false;
  std::uint64_t last_ = 0;
  std::uint64_t next_ = 0;
};

// Steps it by one, whoever else does, for when that happens too often.
class AddToStamp final : public ReadStamps {
 public:
  using ReadStamps::ReadStamps;

  void append(client::Request& request) override;
};

}  // namespace vcache::l2::command
