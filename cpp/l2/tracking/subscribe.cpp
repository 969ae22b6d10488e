#include "l2/tracking/subscribe.hpp"

namespace vcache::l2::tracking {

namespace {

// What says that the server cannot tell now, but may later.
bool is_passing(const client::ServerError& error) noexcept {
  return error.health != client::Health::kFine && error.kind != ErrorKind::kServer;
}

}  // namespace

void Subscribe::append(client::Request& request) {
  append_hello(request);
  if (options_.db != 0) {
    request.command(2);
    request.argument("SELECT");
    request.number(options_.db);
  }
  request.command(8);
  for (const std::string_view word : {"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX"}) {
    request.argument(word);
  }
  request.argument(context_.key_prefix);
  request.argument("PREFIX");
  request.argument(context_.own_prefix);
}

void Subscribe::append_hello(client::Request& request) const {
  request.command(options_.password.empty() ? 2 : 5);
  request.argument("HELLO");
  request.argument("3");
  if (options_.password.empty()) return;
  request.argument("AUTH");
  request.argument(options_.username.empty() ? "default" : options_.username);
  request.argument(options_.password);
}

void Subscribe::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0 || part.type != client::ReplyType::kError) return;
  const bool first = error().ok();
  const client::ServerError error = client::classify(part.text);
  if (first) refused_ = !is_passing(error);
  (void)note_error(part);
}

}  // namespace vcache::l2::tracking
