#include "l2/query.hpp"

#include <exception>

#include "base/clock.hpp"
#include "l2/dialer.hpp"

namespace vcache::l2 {

namespace {

// Keeps replies as they come.
class Collector final : public client::ReplySink {
 public:
  void on_part(const client::ReplyPart& part) noexcept override {
    try {
      place_of(part).push_back(
          {.type = part.type, .text = std::string(part.text), .integer = part.integer});
    } catch (const std::exception&) {
      failed_ = true;
    }
  }

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::vector<QueryReply>& replies() noexcept { return replies_; }

 private:
  // Parts come depth first, so what holds this one is the latest at each depth above.
  [[nodiscard]] std::vector<QueryReply>& place_of(const client::ReplyPart& part) {
    std::vector<QueryReply>* place = &replies_;
    for (std::size_t depth = 0; depth < part.depth; ++depth) place = &place->back().elements;
    return *place;
  }

  std::vector<QueryReply> replies_;
  bool failed_ = false;
};

base::Result<std::vector<QueryReply>> ask(client::Connection& connection,
                                          std::span<const std::vector<std::string>> commands,
                                          client::Deadline deadline) {
  client::Request& request = connection.request();
  for (const std::vector<std::string>& command : commands) {
    request.command(command.size());
    for (const std::string& argument : command) request.argument(argument);
  }
  Collector collector;
  base::Error error = connection.exchange(collector, deadline);
  if (error.ok() && collector.failed()) error.code = base::ErrorCode::kProtocol;
  if (!error.ok()) return error;
  return std::move(collector.replies());
}

}  // namespace

base::Result<std::vector<QueryReply>> query(const RedisOptions& options,
                                            std::span<const std::vector<std::string>> commands) {
  try {
    ServerFacts facts(base::system_clock());
    ErrorCounters errors;
    const command::Context context(options.namespace_name, options.max_value, facts, errors,
                                   Layout::kShards);  // which asks for no key of its own
    Dialer dialer(options, context);
    auto connection = dialer.dial(client::Deadline::clock::now() + options.connect_timeout);
    if (!connection.ok()) return connection.error();
    return ask(connection.value(), commands, client::Deadline::clock::now() + options.timeout);
  } catch (const std::exception&) {
    return base::Error{base::ErrorCode::kConnect, "out of memory"};
  }
}

}  // namespace vcache::l2
