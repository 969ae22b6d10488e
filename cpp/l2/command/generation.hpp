#pragma once

#include <cstdint>

#include "l2/command/batch.hpp"
#include "l2/command/time.hpp"

namespace vcache::l2::command {

// Reads the generation of the namespace.
class ReadGeneration final : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override { append_generation(request); }
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

 private:
  std::uint64_t generation_ = 0;
};

// Reads the generation of the namespace from where it lies when it does not lie with the keys, and
// the server's time where that is due.
class LearnGeneration final : public Batch {
 public:
  enum class IfNone : std::uint8_t {
    kLeave,
    kMake,  // where none is known here: one begins, but not where there is one already
  };

  LearnGeneration(const Context& context, IfNone if_none) noexcept
      : Batch(context), if_none_(if_none) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // True when it was read.
  [[nodiscard]] bool known() const noexcept { return known_; }

 private:
  const IfNone if_none_;
  TimeReply time_;
  bool tells_time_ = false;
  std::size_t generation_reply_ = 0;
  bool known_ = false;
};

// Sets the generation of the namespace.
class WriteGeneration final : public Batch {
 public:
  WriteGeneration(const Context& context, std::uint64_t generation) noexcept
      : Batch(context), generation_(generation) {}

  void append(client::Request& request) override;
  // Setting it twice ends no other entries than setting it once.
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::uint64_t generation_;
};

}  // namespace vcache::l2::command
