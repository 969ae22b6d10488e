#include "l2/client/server_error.hpp"

#include <array>

namespace vcache::l2::client {

namespace {

using base::ErrorCode;

struct Row {
  std::string_view prefix;
  ServerError error;
};

// The first row whose prefix fits decides.
constexpr std::array kRows = {
    Row{"OOM ", {ErrorKind::kOom, ErrorCode::kServer, Health::kFine}},
    Row{"READONLY ", {ErrorKind::kReadOnly, ErrorCode::kServer, Health::kFine}},
    Row{"NOREPLICAS ", {ErrorKind::kNoReplicas, ErrorCode::kServer, Health::kFine}},
    Row{"MISCONF ", {ErrorKind::kMisconf, ErrorCode::kServer, Health::kFine}},
    Row{"LOADING ", {ErrorKind::kLoading, ErrorCode::kServer, Health::kFailing}},
    Row{"MASTERDOWN ", {ErrorKind::kMasterDown, ErrorCode::kServer, Health::kFailing}},
    Row{"BUSY ", {ErrorKind::kServerBusy, ErrorCode::kServer, Health::kFailing}},
    Row{"NOAUTH ", {ErrorKind::kAuth, ErrorCode::kAuth, Health::kCredentials}},
    Row{"WRONGPASS ", {ErrorKind::kAuth, ErrorCode::kAuth, Health::kCredentials}},
    Row{"ERR AUTH ", {ErrorKind::kAuth, ErrorCode::kAuth, Health::kCredentials}},
    Row{"ERR invalid password", {ErrorKind::kAuth, ErrorCode::kAuth, Health::kCredentials}},
    Row{"ERR Client sent AUTH", {ErrorKind::kAuth, ErrorCode::kAuth, Health::kCredentials}},
    Row{"NOPERM ", {ErrorKind::kNoPerm, ErrorCode::kAuth, Health::kFine}},
    Row{"ERR max number of clients", {ErrorKind::kMaxClients, ErrorCode::kBusy, Health::kFailing}},
    Row{"MOVED ", {ErrorKind::kCluster, ErrorCode::kServer, Health::kFine}},
    Row{"ASK ", {ErrorKind::kCluster, ErrorCode::kServer, Health::kFine}},
    Row{"TRYAGAIN ", {ErrorKind::kCluster, ErrorCode::kServer, Health::kFine}},
    Row{"CROSSSLOT ", {ErrorKind::kCluster, ErrorCode::kServer, Health::kFine}},
    Row{"CLUSTERDOWN ", {ErrorKind::kCluster, ErrorCode::kServer, Health::kFailing}},
    Row{"EXECABORT Transaction discarded because of: NOPERM",
        {ErrorKind::kNoPerm, ErrorCode::kAuth, Health::kFine}},
    Row{"EXECABORT ", {ErrorKind::kServer, ErrorCode::kServer, Health::kFine}},
    Row{"WRONGTYPE ", {ErrorKind::kWrongType, ErrorCode::kServer, Health::kFine}},
    Row{"ERR unknown command", {ErrorKind::kUnknownCommand, ErrorCode::kServer, Health::kFine}},
    Row{"ERR Protocol error", {ErrorKind::kProtocol, ErrorCode::kProtocol, Health::kFailing}},
};

constexpr std::size_t kMaxShown = 80;

// Up to the first quote or the marks after which servers repeat what they were sent.
std::string_view shown(std::string_view text) noexcept {
  for (const std::string_view mark : {"'", "\"", "`", ", with args", " | "}) {
    text = text.substr(0, text.find(mark));
  }
  return text.substr(0, kMaxShown);
}

}  // namespace

ServerError classify(std::string_view text) noexcept {
  for (const Row& row : kRows) {
    if (text.starts_with(row.prefix)) return row.error;
  }
  return {};
}

base::Error to_error(const ServerError& error, std::string_view text) {
  return {error.code, std::string(shown(text))};
}

}  // namespace vcache::l2::client
