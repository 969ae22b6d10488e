#pragma once

#include <cstdint>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

void append_time(client::Request& request);

// The reply to TIME: seconds, then microseconds.
class TimeReply {
 public:
  // With the second number `facts` learn the server's time.
  void on_part(const client::ReplyPart& part, ServerFacts& facts) noexcept;

 private:
  std::int64_t seconds_ = 0;
};

// Asks for the server's time.
class ReadTime final : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override { append_time(request); }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  TimeReply time_;
};

}  // namespace vcache::l2::command
