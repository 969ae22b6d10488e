#include "l2/command/time.hpp"

#include "l2/command/number.hpp"

namespace vcache::l2::command {

void append_time(client::Request& request) {
  request.command(1);
  request.argument("TIME");
}

void TimeReply::on_part(const client::ReplyPart& part, ServerFacts& facts) noexcept {
  constexpr std::int64_t kLatest = std::int64_t{1} << 33;  // seconds: 2242, good in nanoseconds
  const auto number = to_number<std::int64_t>(part.text);
  if (!number || *number < 0 || *number > kLatest) return;
  if (part.index == 0) {
    seconds_ = *number;
  } else if (part.index == 1 && seconds_ != 0) {
    facts.set_time(std::chrono::seconds(seconds_) +
                   std::chrono::duration_cast<base::Millis>(std::chrono::microseconds(*number)));
  }
}

void ReadTime::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (part.depth == 1) {
    time_.on_part(part, context_.facts);
  }
}

}  // namespace vcache::l2::command
