#include "bindings/gil.hpp"
#include "l2/query.hpp"

namespace vcache::bindings {

namespace {

using Command = std::vector<std::string>;

py::object to_python(const l2::QueryReply& reply) {
  switch (reply.type) {
    case l2::client::ReplyType::kNil:
      return py::none();
    case l2::client::ReplyType::kInteger:
      return py::int_(reply.integer);
    case l2::client::ReplyType::kArray: {
      py::list out;
      for (const l2::QueryReply& element : reply.elements) out.append(to_python(element));
      return out;
    }
    case l2::client::ReplyType::kError:
      return py::module_::import("vcache.errors")
          .attr("RedisError")(taken(PyUnicode_DecodeLatin1(
              reply.text.data(), static_cast<Py_ssize_t>(reply.text.size()), nullptr)));
    default:
      return py::bytes(reply.text);
  }
}

py::list query(const l2::RedisOptions& options, const std::vector<Command>& commands) {
  if (const base::Error error = options.validate(); !error.ok()) raise("ConfigError", error.detail);
  base::Result<std::vector<l2::QueryReply>> replies = base::Error{};
  {
    const GilRelease released;
    replies = l2::query(options, commands);
  }
  raise_pending();
  if (!replies.ok()) raise(replies.error());
  py::list out;
  for (const l2::QueryReply& reply : replies.value()) out.append(to_python(reply));
  return out;
}

}  // namespace

void bind_query(py::module_& module) {
  module.def("query_redis", &query, py::arg("options"), py::arg("commands"),
             "The replies to commands, sent on a connection of their own; an error reply is a\n"
             "RedisError among them.");
}

}  // namespace vcache::bindings
