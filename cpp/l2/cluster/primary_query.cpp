#include "l2/cluster/primary_query.hpp"

#include <exception>

#include "l2/command/number.hpp"

namespace vcache::l2::cluster {

void PrimaryQuery::append(client::Request& request) {
  primary_ = {};
  request.command(3);
  request.argument("SENTINEL");
  request.argument("GET-MASTER-ADDR-BY-NAME");
  request.argument(service_);
}

void PrimaryQuery::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
  if (part.depth != 1) return;
  try {
    if (part.index == 0) primary_.host = part.text;
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
  if (part.index == 1) primary_.port = command::to_number<int>(part.text).value_or(0);
}

}  // namespace vcache::l2::cluster
