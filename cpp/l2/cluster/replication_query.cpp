#include "l2/cluster/replication_query.hpp"

#include <algorithm>
#include <exception>

#include "l2/command/number.hpp"

namespace vcache::l2::cluster {

void ReplicationQuery::append(client::Request& request) {
  request.command(2);
  request.argument("INFO");
  request.argument("replication");
}

// Lines of `name:value`.
void ReplicationQuery::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
    return;
  }
  try {
    for (std::string_view rest = part.text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find("\r\n"));
      rest.remove_prefix(std::min(rest.size(), line.size() + 2));
      const std::size_t colon = line.find(':');
      if (colon != std::string_view::npos) read(line.substr(0, colon), line.substr(colon + 1));
    }
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
}

void ReplicationQuery::read(std::string_view name, std::string_view value) {
  if (name == "role") role_ = value;
  if (name == "master_link_status") link_ = value;
  if (name == "master_replid") history_ = value;
  if (name == "master_repl_offset") made_ = command::to_number<std::int64_t>(value).value_or(-1);
  if (name == "slave_repl_offset") taken_ = command::to_number<std::int64_t>(value).value_or(-1);
}

}  // namespace vcache::l2::cluster
