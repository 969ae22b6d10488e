#pragma once

#include <cstdint>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Reads, and then writes what follows from that unless another did meanwhile: WATCH guards from the
// reading to the writing, in two exchanges on one connection. Not sent twice.
class OptimisticBatch : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) final;
  [[nodiscard]] bool append_next(client::Request& request) final;
  void on_part(const client::ReplyPart& part) noexcept final;

 protected:
  // Nothing is sent any more.
  void give_up() noexcept { stage_ = Stage::kGivenUp; }

 private:
  enum class Stage : std::uint8_t { kReading, kWriting, kGivenUp };

  // Forgets what was read at an earlier sending.
  virtual void begin() = 0;
  // The WATCH; then one command that reads.
  virtual void append_watch(client::Request& request) const = 0;
  virtual void append_read(client::Request& request) = 0;
  // What is to be written, if anything is.
  virtual void append_write(client::Request& request) const = 0;
  // Of the reply to what reads.
  virtual void on_read(const client::ReplyPart& part) noexcept = 0;
  // Of the replies behind it; the last is that of EXEC, nil where another wrote meanwhile.
  virtual void on_written(const client::ReplyPart& /*part*/) noexcept {}

  void on_reply_to_read(const client::ReplyPart& part) noexcept;

  Stage stage_ = Stage::kReading;
  bool watched_ = false;
  bool in_transaction_ = false;
};

}  // namespace vcache::l2::command
