#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "bindings/access_calls.hpp"
#include "bindings/arguments.hpp"
#include "bindings/bind_learning.hpp"
#include "bindings/cache_calls.hpp"
#include "bindings/listing_calls.hpp"
#include "bindings/loading_calls.hpp"
#include "cache/recovery.hpp"
#include "l2/null_l2.hpp"
#include "l2/redis_l2.hpp"

namespace vcache::bindings {

namespace {

base::Millis millis(double seconds) {
  return std::chrono::duration_cast<base::Millis>(std::chrono::duration<double>(seconds));
}

void require(const base::Error& error) {
  if (!error.ok()) raise("ConfigError", error.detail);
}

// A strict cache raises for what Redis did not take, and leaves it at that.
std::unique_ptr<l2::L2> make_tier(l2::RedisOptions node, const base::Clock& time,
                                  l2::Listener& listener, std::size_t memory_bytes, bool strict) {
  const base::Millis timeout = node.timeout;
  std::unique_ptr<l2::L2> tier = l2::make_redis_l2(std::move(node), time, listener);
  if (strict) return tier;
  cache::PendingWrites::Limits limits;
  constexpr std::size_t kLeast = std::size_t{1} << 20;
  if (memory_bytes > 0) limits.bytes = std::clamp(memory_bytes / 4, kLeast, limits.bytes);
  return std::make_unique<cache::Recovery>(std::move(tier), time, limits, timeout, listener);
}

cache::AdaptiveTtl make_adaptive_ttl(double memory_ttl, double hot_memory_ttl,
                                     double cold_memory_ttl, std::uint32_t hot_hits,
                                     std::uint32_t cold_hits, const py::object& ttl,
                                     const py::object& warm_ttl, const py::object& hot_ttl,
                                     std::uint32_t warm_reads, std::uint32_t hot_reads) {
  const auto nanos = [](double seconds) { return lifetime_of(seconds).value_or(base::Nanos{1}); };
  return {.memory = {.ttl = nanos(memory_ttl),
                     .hot_ttl = nanos(hot_memory_ttl),
                     .cold_ttl = nanos(cold_memory_ttl),
                     .hot_hits = hot_hits,
                     .cold_hits = cold_hits},
          .ttl = ttl_argument(ttl.ptr(), "ttl", {}),
          .warm_ttl = ttl_argument(warm_ttl.ptr(), "warm_ttl", {}),
          .hot_ttl = ttl_argument(hot_ttl.ptr(), "hot_ttl", {}),
          .warm_reads = warm_reads,
          .hot_reads = hot_reads};
}

std::shared_ptr<Core> make_core(
    std::size_t memory_bytes, std::size_t max_entries, const std::string& policy,
    const std::string& name, const py::object& ttl, const py::object& memory_ttl, double jitter,
    double grace, std::size_t max_value, std::uint32_t promotion_threshold,
    const std::optional<cache::SmallOrHot>& admit,
    const std::optional<cache::AdaptiveTtl>& adaptive_ttl, bool strict, bool metrics,
    const std::optional<l2::RedisOptions>& redis, const l2::codec::Packing& packing,
    const std::optional<l1::AccessLogOptions>& access_log, std::shared_ptr<base::ManualClock> clock,
    std::uint64_t seed, const std::optional<l1::LearningOptions>& learning) {
  cache::CacheOptions options{.name = name,
                              .ttl = ttl_argument(ttl.ptr(), "ttl", {}),
                              .memory_ttl = ttl_argument(memory_ttl.ptr(), "memory_ttl", {}),
                              .grace = lifetime_of(grace).value_or(base::Nanos{0}),
                              .jitter = jitter,
                              .max_value = max_value,
                              .promotion_threshold = promotion_threshold,
                              .admit = admit,
                              .adaptive_ttl = adaptive_ttl,
                              .metrics = metrics,
                              .memory = {.bytes = memory_bytes,
                                         .entries = max_entries,
                                         .policy = policy,
                                         .seed = seed,
                                         .learning = learning.value_or(l1::LearningOptions())},
                              .access_log = access_log.value_or(l1::AccessLogOptions{})};
  require(options.validate());
  const base::Clock& time = clock ? static_cast<const base::Clock&>(*clock) : base::system_clock();
  cache::TieredCache::MakeL2 make = [](l2::Listener&) { return std::make_unique<l2::NullL2>(); };
  if (redis) {
    l2::RedisOptions node = *redis;
    node.namespace_name = name;
    node.max_value = max_value;
    node.packing = packing;
    node.grace = cache::grace_of(options);
    require(node.validate());
    make = [node, &time, memory_bytes, strict](l2::Listener& listener) {
      return make_tier(node, time, listener, memory_bytes, strict);
    };
  }
  return std::make_shared<Core>(std::move(options), make, redis.has_value(), std::move(clock),
                                strict);
}

l2::Layout to_layout(const std::string& name) {
  if (name == "one") return l2::Layout::kOneServer;
  if (name == "shards") return l2::Layout::kShards;
  if (name == "cluster") return l2::Layout::kCluster;
  if (name != "sentinel")
    raise("ConfigError", "layout: allowed are one, shards, cluster, sentinel");
  return l2::Layout::kSentinel;
}

l2::RedisOptions make_redis_options(std::string host, int port, std::string unix_socket, int db,
                                    std::string username, std::string password,
                                    std::size_t pool_size, double timeout, double connect_timeout,
                                    std::optional<l2::client::TlsOptions> tls, bool tracking,
                                    const std::string& layout,
                                    const std::vector<std::pair<std::string, int>>& seeds,
                                    std::vector<l2::RedisOptions> shards, bool read_replicas,
                                    std::string service, std::string sentinel_username,
                                    std::string sentinel_password) {
  std::vector<l2::Endpoint> endpoints;
  for (const auto& [name, number] : seeds) endpoints.push_back({.host = name, .port = number});
  std::vector<std::shared_ptr<const l2::RedisOptions>> servers;
  for (l2::RedisOptions& shard : shards) {
    servers.push_back(std::make_shared<const l2::RedisOptions>(std::move(shard)));
  }
  return {.host = std::move(host),
          .port = port,
          .unix_socket = std::move(unix_socket),
          .db = db,
          .username = std::move(username),
          .password = std::move(password),
          .tls = std::move(tls),
          .pool_size = pool_size,
          .timeout = millis(timeout),
          .connect_timeout = millis(connect_timeout),
          .tracking = tracking,
          .layout = to_layout(layout),
          .shards = std::move(servers),
          .seeds = std::move(endpoints),
          .read_replicas = read_replicas,
          .service = std::move(service),
          .sentinel_username = std::move(sentinel_username),
          .sentinel_password = std::move(sentinel_password)};
}

l2::client::TlsOptions make_tls_options(std::string ca_file, std::string cert_file,
                                        std::string key_file, bool verify) {
  using Verify = l2::client::TlsOptions::Verify;
  return {.ca_file = std::move(ca_file),
          .cert_file = std::move(cert_file),
          .key_file = std::move(key_file),
          .verify = verify ? Verify::kFull : Verify::kNone};
}

l2::codec::Compression to_compression(const std::string& name) {
  using l2::codec::Compression;
  if (name == "none") return Compression::kNone;
  if (name == "zstd") return Compression::kZstd;
  if (name != "auto") raise("ConfigError", "compression: allowed are auto, none, zstd");
  return Compression::kAuto;
}

l2::codec::Precision to_precision(const std::optional<std::string>& dtype) {
  using l2::codec::Precision;
  if (!dtype) return Precision::kAsIs;
  if (*dtype == "float16") return Precision::kFloat16;
  if (*dtype != "int8") raise("ConfigError", "storage_dtype: allowed are None, float16, int8");
  return Precision::kInt8;
}

// The bytes are read where they lie: a copy would have to be overwritten.
l2::codec::Packing make_packing(const std::string& compression,
                                const std::optional<std::string>& storage_dtype,
                                const std::vector<py::bytes>& encryption_keys) {
  l2::codec::Packing packing{.compression = to_compression(compression),
                             .storage = to_precision(storage_dtype)};
  if (encryption_keys.empty()) return packing;
  std::vector<base::ByteView> keys;
  keys.reserve(encryption_keys.size());
  for (const py::bytes& key : encryption_keys) {
    keys.push_back(std::as_bytes(std::span(std::string_view(key))));
  }
  auto ring = l2::codec::Keyring::make(keys);
  if (!ring.ok()) require(ring.error());
  packing.keys = std::move(ring).value();
  return packing;
}

void bind_options(py::module_& module) {
  bind_access_log_options(module);
  py::class_<cache::SmallOrHot>(module, "SmallOrHot", "Which values may enter memory.")
      .def(py::init([](std::size_t bytes, std::uint32_t hits) {
             return cache::SmallOrHot{.bytes = bytes, .hits = hits};
           }),
           py::kw_only(), py::arg("bytes"), py::arg("hits"));
  py::class_<cache::AdaptiveTtl>(module, "AdaptiveTtl", "Times to live by the use of keys.")
      .def(py::init(&make_adaptive_ttl), py::kw_only(), py::arg("memory_ttl"),
           py::arg("hot_memory_ttl"), py::arg("cold_memory_ttl"), py::arg("hot_hits"),
           py::arg("cold_hits"), py::arg("ttl").none(true), py::arg("warm_ttl").none(true),
           py::arg("hot_ttl").none(true), py::arg("warm_reads"), py::arg("hot_reads"));
  py::class_<l2::codec::Packing>(module, "Packing", "In what form values are stored.")
      .def(py::init(&make_packing), py::kw_only(), py::arg("compression"),
           py::arg("storage_dtype").none(true), py::arg("encryption_keys"));
  py::class_<l2::client::TlsOptions>(module, "TlsOptions",
                                     "How a server proves who it is, and we to it.")
      .def(py::init(&make_tls_options), py::kw_only(), py::arg("ca_file") = "",
           py::arg("cert_file") = "", py::arg("key_file") = "", py::arg("verify") = true);
  py::class_<l2::RedisOptions>(module, "RedisOptions", "How to reach one Redis node.")
      .def(py::init(&make_redis_options), py::kw_only(), py::arg("host") = "127.0.0.1",
           py::arg("port") = 6379, py::arg("unix_socket") = "", py::arg("db") = 0,
           py::arg("username") = "", py::arg("password") = "", py::arg("pool_size") = 16,
           py::arg("timeout") = 0.25, py::arg("connect_timeout") = 0.5, py::arg("tls") = py::none(),
           py::arg("tracking") = true, py::arg("layout") = "one",
           py::arg("seeds") = std::vector<std::pair<std::string, int>>(),
           py::arg("shards") = py::list(), py::arg("read_replicas") = false,
           py::arg("service") = "", py::arg("sentinel_username") = "",
           py::arg("sentinel_password") = "");
  py::class_<base::ManualClock, std::shared_ptr<base::ManualClock>>(
      module, "ManualClock", "A clock that stands still until advanced.")
      .def(py::init([](double now) {
             return std::make_shared<base::ManualClock>(
                 base::Nanos(static_cast<std::int64_t>(now * 1e9)));
           }),
           py::arg("now") = 1e9)
      .def(
          "advance",
          [](base::ManualClock& clock, double seconds) {
            clock.advance(base::Nanos(static_cast<std::int64_t>(seconds * 1e9)));
          },
          py::arg("seconds"));
}

}  // namespace

void bind_cache(py::module_& module) {
  bind_options(module);
  bind_learning(module);
  py::class_<Core, std::shared_ptr<Core>> cache(module, "TieredCache",
                                                "Both tiers of one namespace.");
  bind_leases(cache);
  bind_blobs(cache);
  bind_reads(cache);
  bind_snapshot(cache);
  bind_tags(cache);
  bind_loading(cache);
  bind_listing(cache);
  bind_learning_calls(cache);
  bind_access_log(cache);
  cache
      .def(py::init(&make_core), py::kw_only(), py::arg("memory_bytes"), py::arg("max_entries"),
           py::arg("policy"), py::arg("namespace"), py::arg("ttl").none(true),
           py::arg("memory_ttl").none(true), py::arg("jitter"), py::arg("grace"),
           py::arg("max_value"), py::arg("promotion_threshold"), py::arg("admit").none(true),
           py::arg("adaptive_ttl").none(true), py::arg("strict"), py::arg("metrics"),
           py::arg("redis").none(true), py::arg("packing"),
           py::arg("access_log").none(true) = py::none(), py::arg("clock") = nullptr,
           py::arg("seed") = 0, py::arg("learning") = py::none())
      .def("lookup", &lookup, py::arg("key"))
      .def("put", &put, py::arg("key"), py::arg("value"), py::arg("ttl"), py::arg("memory_ttl"),
           py::arg("metadata"), py::arg("cost"), py::arg("seconds"), py::arg("tags") = Tags(),
           py::arg("made").none(true) = py::none())
      .def("mget", &mget, py::arg("keys"), py::arg("default"), py::arg("fresh") = false)
      .def("mput", &mput, py::arg("keys"), py::arg("values"), py::arg("ttl"), py::arg("memory_ttl"),
           py::arg("cost"), py::arg("seconds"), py::arg("tags") = Tags())
      .def("get_vectors", &get_vectors, py::arg("keys"), py::arg("dim").none(true),
           py::arg("dtype"), py::arg("out").none(true))
      .def("set_vectors", &set_vectors, py::arg("keys"), py::arg("matrix"), py::arg("ttl"),
           py::arg("memory_ttl"), py::arg("cost"), py::arg("seconds"))
      .def("memory_get_many", &memory_get_many, py::arg("keys"), py::arg("default"),
           py::arg("fresh") = false)
      .def("memory_has", &memory_has, py::arg("keys"))
      .def("delete", &delete_key, py::arg("key"))
      .def("mdelete", &mdelete, py::arg("keys"))
      .def("touch", &touch, py::arg("key"), py::arg("ttl"))
      .def("exists", &exists, py::arg("key"))
      .def("clear", &clear)
      .def("close", &close)
      .def("count_source", &count_source, py::arg("calls"), py::arg("seconds"))
      .def("count_coalesced", &count_coalesced, py::arg("n"))
      .def("stats", &stats)
      .def("health", &health);
}

}  // namespace vcache::bindings
