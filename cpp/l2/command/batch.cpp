#include "l2/command/batch.hpp"

#include <algorithm>
#include <exception>

#include "l2/command/number.hpp"

namespace vcache::l2::command {

client::ServerError Batch::note_error(const client::ReplyPart& part) noexcept {
  const client::ServerError error = client::classify(part.text);
  count(error.kind);
  health_ = std::max(health_, error.health);
  if (error_.ok()) {
    try {
      error_ = client::to_error(error, part.text);
    } catch (const std::exception&) {
      error_.code = error.code;
    }
  }
  return error;
}

bool Batch::note_unless_forbidden(const client::ReplyPart& part) noexcept {
  const bool forbidden = client::classify(part.text).kind == ErrorKind::kNoPerm;
  forbidden ? count(ErrorKind::kNoPerm) : static_cast<void>(note_error(part));
  return !forbidden;
}

void Batch::note_nonsense() noexcept {
  count(ErrorKind::kProtocol);
  suspicious_ = true;
  health_ = std::max(health_, client::Health::kFailing);
  if (error_.ok()) error_.code = base::ErrorCode::kProtocol;
}

void Batch::suspect() noexcept {
  drop_connection();
  health_ = std::max(health_, client::Health::kDoubtful);
}

void Batch::absorb(const Batch& other) noexcept {
  health_ = std::max(health_, other.health_);
  suspicious_ = suspicious_ || other.suspicious_;
  if (!error_.ok() || other.error_.ok()) return;
  try {
    error_ = other.error_;
  } catch (const std::exception&) {
    error_.code = other.error_.code;
  }
}

void Batch::append_generation(client::Request& request) const {
  request.command(2);
  request.argument("MGET");
  request.argument(context_.generation_key);
}

void Batch::append_new_generation(client::Request& request, std::uint64_t generation) const {
  request.command(4);
  request.argument("SET");
  request.argument(context_.generation_key);
  request.number(static_cast<long long>(generation));
  request.argument("NX");
  context_.facts.own_writes().note_generation(generation);
}

std::uint64_t Batch::read_generation(const client::ReplyPart& part) noexcept {
  if (part.type != client::ReplyType::kString) return 0;
  const std::int64_t number = to_number<std::int64_t>(part.text).value_or(0);
  return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

}  // namespace vcache::l2::command
