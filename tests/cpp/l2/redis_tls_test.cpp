#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "l2/redis_l2.hpp"
#include "support/certificates.hpp"
#include "support/fake_clock.hpp"
#include "support/fault_proxy.hpp"
#include "support/l2_calls.hpp"
#include "support/ports.hpp"
#include "support/redis_server.hpp"

namespace vcache::l2 {
namespace {

using client::TlsOptions;
using testing::Certificates;
using testing::CollectSink;
using testing::fetch;
using testing::free_port;
using testing::RedisServer;
using testing::store;

using std::chrono::milliseconds;

using Arguments = std::vector<std::string>;

const Certificates& files() { return Certificates::shared(); }

// What makes a server take TLS on `port`, as who has this certificate.
Arguments tls_arguments(int port, const std::string& name, const Arguments& more = {}) {
  Arguments out = {"--tls-port",         std::to_string(port),
                   "--tls-cert-file",    files().certificate(name),
                   "--tls-key-file",     files().key(name),
                   "--tls-ca-cert-file", files().certificate("ca"),
                   "--tls-auth-clients", "no"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

class TlsServer {
 public:
  explicit TlsServer(const std::string& name = "server", const Arguments& more = {})
      : port_(free_port()), server_(tls_arguments(port_, name, more)) {}

  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] RedisServer& redis() noexcept { return server_; }

 private:
  const int port_;
  RedisServer server_;
};

RedisOptions options_for(int port) {
  RedisOptions out;
  out.port = port;
  out.timeout = milliseconds(5000);
  out.connect_timeout = milliseconds(4000);
  out.tls = TlsOptions{.ca_file = files().certificate("ca")};
  return out;
}

// Bytes that no compression shortens.
std::string noise(std::size_t size) {
  std::minstd_rand random(size);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random() >> 8);
  return out;
}

class RedisTlsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<L2> connect(RedisOptions options) const {
    return make_redis_l2(std::move(options), clock_);
  }
  [[nodiscard]] base::Error probe(RedisOptions options) const {
    return connect(std::move(options))->status(true).error;
  }

  testing::FakeClock clock_;
};

TEST_F(RedisTlsTest, ValuesOfAllSizesComeBack) {
  const TlsServer server;
  const auto tier = connect(options_for(server.port()));
  for (const std::size_t size : {1U, 16'383U, 16'384U, 16'385U, 100'000U, 5'000'000U}) {
    const std::string value = noise(size);
    ASSERT_EQ(store(*tier, "k", value), Outcome::kHit) << size;
    EXPECT_EQ(fetch(*tier, "k").payload, value);
  }
  EXPECT_EQ(tier->status(true).connections, 1) << "one did all of it";
}

TEST_F(RedisTlsTest, BatchesComeBack) {
  const TlsServer server;
  const auto tier = connect(options_for(server.port()));
  std::vector<std::string> keys;
  std::vector<std::vector<float>> vectors;
  std::vector<Write> writes;
  for (int i = 0; i < 256; ++i) {
    keys.push_back("v" + std::to_string(i));
    vectors.emplace_back(i % 32 == 0 ? 20'000 : 384, static_cast<float>(i));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    writes.push_back({.key = keys[i], .value = testing::vector_view(vectors[i])});
  }
  std::vector<Outcome> outcomes(writes.size());
  testing::SpanWrites source(writes);
  EXPECT_TRUE(tier->store(source, outcomes).ok());
  EXPECT_EQ(std::ranges::count(outcomes, Outcome::kHit), 256);
  CollectSink sink(keys.size());
  EXPECT_TRUE(tier->fetch(testing::views(keys), sink).ok());
  ASSERT_TRUE(sink.complete());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto bytes = std::as_bytes(std::span(vectors[i]));
    const std::string wanted(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_EQ(sink.answers[i].payload, wanted) << i;
  }
}

TEST_F(RedisTlsTest, AClientCertificateIsShownWhereItIsAskedFor) {
  const TlsServer server("server", {"--tls-auth-clients", "yes"});
  RedisOptions options = options_for(server.port());
  options.tls->cert_file = files().certificate("client");
  options.tls->key_file = files().key("client");
  EXPECT_EQ(probe(options).code, base::ErrorCode::kOk);
}

TEST_F(RedisTlsTest, ANameIsCheckedAsAddressesAre) {
  const TlsServer server;
  RedisOptions options = options_for(server.port());
  options.host = "localhost";
  EXPECT_EQ(probe(options).code, base::ErrorCode::kOk);
}

// A server that must be refused, and what the error says.
struct Bad {
  std::string certificate;
  Arguments more;
  std::string says;
};

class R37Test : public RedisTlsTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(R37Test, IsRefusedWithTheReason) {
  const TlsServer server(GetParam().certificate, GetParam().more);
  const auto tier = connect(options_for(server.port()));
  const Status status = tier->status(true);
  EXPECT_EQ(status.error.code, base::ErrorCode::kTls);
  EXPECT_NE(status.error.detail.find(GetParam().says), std::string::npos) << status.error.detail;
  EXPECT_EQ(status.errors.at("tls"), 1U);
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
}

INSTANTIATE_TEST_SUITE_P(
    All, R37Test,
    ::testing::Values(
        Bad{.certificate = "other-server", .more = {}, .says = "unable to get local issuer"},
        Bad{.certificate = "wrong-name", .more = {}, .says = "IP address mismatch"},
        Bad{.certificate = "expired", .more = {}, .says = "certificate has expired"},
        Bad{.certificate = "self-signed", .more = {}, .says = "self-signed certificate"},
        Bad{.certificate = "server",
            .more = {"--tls-protocols", "TLSv1.1", "--tls-ciphers", "DEFAULT@SECLEVEL=0"},
            .says = "version"},
        Bad{.certificate = "server",
            .more = {"--tls-auth-clients", "yes"},
            .says = "certificate required"}));

using R37PeerTest = RedisTlsTest;

TEST_F(R37PeerTest, APlainPortIsRefused) {
  const RedisServer server;
  RedisOptions options = options_for(server.port());
  options.connect_timeout = milliseconds(300);
  const base::Error error = probe(options);
  // It waits for the end of a line, and answers when the handshake happens to hold one.
  if (error.code == base::ErrorCode::kTimeout) {
    EXPECT_EQ(error.detail, "no answer to the TLS handshake; does this port speak TLS?");
  } else {
    EXPECT_EQ(error.detail, "TLS: wrong version number");
  }
}

TEST_F(R37PeerTest, AnotherNameIsRefused) {
  const TlsServer server("wrong-name");
  RedisOptions options = options_for(server.port());
  options.host = "localhost";
  const base::Error error = probe(options);
  EXPECT_EQ(error.code, base::ErrorCode::kTls);
  EXPECT_NE(error.detail.find("hostname mismatch"), std::string::npos) << error.detail;
}

TEST_F(RedisTlsTest, WithoutVerificationAnyCertificateWillDo) {
  const TlsServer server("self-signed");
  RedisOptions options = options_for(server.port());
  options.tls->verify = TlsOptions::Verify::kNone;
  EXPECT_EQ(probe(options).code, base::ErrorCode::kOk);
}

TEST_F(RedisTlsTest, AuthoritiesOfTheSystemAreTheDefault) {
  const TlsServer server;
  RedisOptions options = options_for(server.port());
  options.tls->ca_file.clear();
  EXPECT_EQ(probe(options).code, base::ErrorCode::kTls);
}

TEST_F(RedisTlsTest, AFrozenServerHoldsNobodyPastTheConnectTimeout) {
  TlsServer server;
  server.redis().freeze();
  RedisOptions options = options_for(server.port());
  options.connect_timeout = milliseconds(200);
  const auto tier = connect(options);
  const auto start = std::chrono::steady_clock::now();
  const Status status = tier->status(true);
  const auto taken = std::chrono::steady_clock::now() - start;
  server.redis().thaw();
  EXPECT_EQ(status.error.code, base::ErrorCode::kTimeout);
  EXPECT_GE(taken, milliseconds(200));
  EXPECT_LT(taken, milliseconds(1000)) << "50 ms more on a machine with nothing else to do";
}

// Of every reply stream, from the handshake to the last byte of a value.
TEST_F(RedisTlsTest, AStreamCutAnywhereIsNeverAValue) {
  TlsServer server;
  testing::FaultProxy proxy(server.port());
  const std::string value = noise(3000);
  ASSERT_EQ(store(*connect(options_for(server.port())), "k", value), Outcome::kHit);
  bool whole = false;
  std::size_t cuts = 0;
  for (int limit = 0; limit < 20'000 && !whole; limit += 131, ++cuts) {
    proxy.cut_after = limit;
    const CollectSink::Answer answer = fetch(*connect(options_for(proxy.port())), "k");
    whole = answer.outcome == Outcome::kHit;
    EXPECT_TRUE(whole ? answer.payload == value : answer.payload.empty()) << limit;
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(cuts, 20U);
  EXPECT_GE(proxy.faults, cuts - 1);
}

TEST_F(RedisTlsTest, AnAlteredByteIsNeverAValue) {
  TlsServer server;
  testing::FaultProxy proxy(server.port());
  const std::string value = noise(3000);
  const auto tier = connect(options_for(proxy.port()));
  ASSERT_EQ(store(*tier, "k", value), Outcome::kHit);
  proxy.flip_at = 700;
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kFailed);
  proxy.flip_at = -1;
  EXPECT_EQ(fetch(*tier, "k").payload, value);
  EXPECT_GE(proxy.faults, 1U);
}

TEST_F(RedisTlsTest, OneByteSegmentsAreRead) {
  TlsServer server;
  testing::FaultProxy proxy(server.port());
  proxy.one_byte_segments = true;
  const auto tier = connect(options_for(proxy.port()));
  const std::string value = noise(3000);
  EXPECT_EQ(store(*tier, "k", value), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, value);
}

TEST_F(RedisTlsTest, AServerThatComesBackIsUsed) {
  TlsServer server;
  const auto tier = connect(options_for(server.port()));
  ASSERT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  server.redis().kill();
  EXPECT_NE(fetch(*tier, "k").outcome, Outcome::kHit);
  server.redis().start();
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, "y");
}

TEST_F(RedisTlsTest, FilesThatWereReplacedAreReadAgain) {
  TlsServer server;
  const Certificates other;
  RedisOptions options = options_for(server.port());
  const std::string file = other.certificate("trusted");
  std::filesystem::copy_file(other.certificate("ca"), file);
  options.tls->ca_file = file;
  const auto tier = connect(options);
  EXPECT_EQ(tier->status(true).error.code, base::ErrorCode::kTls);
  std::filesystem::remove(file);
  std::filesystem::copy_file(files().certificate("ca"), file);
  EXPECT_EQ(tier->status(true).outcome, Outcome::kHit);
}

std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

std::size_t resident_pages() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident;
}

TEST_F(RedisTlsTest, FailedHandshakesLeaveNothingBehind) {
  const bool nightly = std::getenv("VCACHE_NIGHTLY") != nullptr;  // NOLINT(*-mt-unsafe)
  const TlsServer server("expired");
  const auto fail = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(probe(options_for(server.port())).code, base::ErrorCode::kTls);
    }
  };
  fail(50);
  const std::size_t files_before = open_files();
  const std::size_t pages_before = resident_pages();
  fail(nightly ? 10'000 : 300);
  EXPECT_EQ(open_files(), files_before);
// ASan keeps freed memory, and finds leaks by itself; what TSan notes of each byte is resident too.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(resident_pages(), pages_before + (std::size_t{5} << 20) / 4096);
#else
  (void)pages_before;
#endif
}

TEST_F(RedisTlsTest, OptionsThatCannotWorkAreNamed) {
  const auto says = [](const TlsOptions& tls, const std::string& socket = {}) {
    RedisOptions options;
    options.unix_socket = socket;
    options.tls = tls;
    const base::Error error = options.validate();
    EXPECT_EQ(error.code, base::ErrorCode::kInvalid);
    return error.detail;
  };
  EXPECT_EQ(says({.ca_file = "/no/such"}), "ca_file /no/such: No such file or directory");
  EXPECT_EQ(says({}, "/run/redis.sock"), "tls is not for a unix_socket");
  EXPECT_EQ(says({.cert_file = files().certificate("client")}),
            "cert_file and key_file must be given together");
  const std::string key = files().key("server");
  EXPECT_EQ(says({.cert_file = files().certificate("client"), .key_file = key}),
            "key_file " + key + ": key values mismatch");
  const std::string foreign = files().certificate("client");
  EXPECT_EQ(says({.cert_file = foreign, .key_file = foreign}).substr(0, 9), "key_file ");
}

}  // namespace
}  // namespace vcache::l2
