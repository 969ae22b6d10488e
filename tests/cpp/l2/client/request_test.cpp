#include "l2/client/request.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace vcache::l2::client {
namespace {

using namespace std::string_literals;

std::string joined(const Request& request) {
  std::vector<iovec> pieces;
  request.pieces(pieces);
  std::string out;
  for (const iovec& piece : pieces)
    out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  return out;
}

TEST(RequestTest, WritesCommandsInResp) {
  Request request;
  request.command(3);
  request.argument("SET");
  request.argument("ns:", std::string_view("k\r\n\0", 4));
  request.number(-12);
  EXPECT_EQ(joined(request), "*3\r\n$3\r\nSET\r\n$7\r\nns:k\r\n\0\r\n$3\r\n-12\r\n"s);
  EXPECT_EQ(request.commands(), 1U);
}

TEST(RequestTest, LeavesPayloadsWhereTheyAre) {
  const std::string payload(1000, 'p');
  Request request;
  for (int i = 0; i < 100; ++i) {
    request.command(1);
    const auto head = request.value(4, std::as_bytes(std::span(payload)));
    std::memcpy(head.data(), "head", 4);
  }
  std::vector<iovec> pieces;
  request.pieces(pieces);
  ASSERT_EQ(pieces.size(), 201U);
  for (std::size_t i = 1; i < pieces.size(); i += 2) {
    EXPECT_EQ(pieces[i].iov_base, payload.data());
    EXPECT_EQ(pieces[i].iov_len, payload.size());
  }
  EXPECT_EQ(joined(request).substr(0, 26), "*1\r\n$1004\r\nheadpppppppppp" + std::string(1, 'p'));
  EXPECT_EQ(request.commands(), 100U);
}

TEST(RequestTest, AnEmptyPayloadIsNoPiece) {
  Request request;
  request.command(1);
  std::memcpy(request.value(2, {}).data(), "hd", 2);
  std::vector<iovec> pieces;
  request.pieces(pieces);
  EXPECT_EQ(pieces.size(), 1U);
  EXPECT_EQ(joined(request), "*1\r\n$2\r\nhd\r\n");
}

TEST(RequestTest, ClearsToNothing) {
  Request request;
  request.command(1);
  request.argument("PING");
  request.clear();
  EXPECT_EQ(joined(request), "");
  EXPECT_EQ(request.commands(), 0U);
}

}  // namespace
}  // namespace vcache::l2::client
