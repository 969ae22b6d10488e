#include <cmath>

#include "bindings/arguments.hpp"
#include "bindings/cache_calls.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/values.hpp"
#include "bindings/views.hpp"

namespace vcache::bindings {

namespace {

using cache::Operation;
using cache::Tier;

void check_cost(float cost, const char* name) {
  if (std::isfinite(cost) && cost >= 0) return;
  raise("ValueError", std::string(name) + "=" + std::to_string(cost) +
                          ": allowed are finite numbers of 0 or more");
}

void put_all(Core& core, Operation operation, const KeyBatch& keys,
             std::span<const base::ValueView> values, const cache::Lifetimes& lifetimes,
             std::span<const std::string_view> tags = {}) {
  base::Error error;
  base::Moment moment;
  Timer timer(core, operation);
  {
    const GilRelease released;
    if (!tags.empty()) error = core.cache.begin(tags, lifetimes, moment);
    base::Error of_put = core.cache.put_many(keys.views(), values, lifetimes, moment);
    if (error.ok()) error = std::move(of_put);
  }
  timer.stop(core.cache.has_redis() ? Tier::kRedis : Tier::kMemory);
  raise_if_strict(core, error, keys.views());
}

void check_counts(std::size_t keys, std::size_t values, const char* name) {
  if (keys == values) return;
  raise("ValueError", std::string(name) + " has " + std::to_string(values) + " rows for " +
                          std::to_string(keys) + " keys: allowed is one for each key");
}

base::ByteView bytes_of(const py::bytes& bytes) {
  return {reinterpret_cast<const std::byte*>(PyBytes_AS_STRING(bytes.ptr())),
          static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

PyArrayObject* matrix_argument(const py::object& matrix) {
  if (!PyArray_Check(matrix.ptr())) {
    raise("TypeError", std::string("matrix of type ") + Py_TYPE(matrix.ptr())->tp_name +
                           ": allowed is a NumPy array of 2 dimensions");
  }
  auto* array = reinterpret_cast<PyArrayObject*>(matrix.ptr());
  if (PyArray_NDIM(array) == 2) return array;
  raise("ValueError", "matrix of " + std::to_string(PyArray_NDIM(array)) +
                          " dimensions: allowed are 2, one row a key");
}

}  // namespace

void put(Core& core, const py::object& key, const py::object& value, const py::object& ttl,
         const py::object& memory_ttl, const py::bytes& metadata, float cost, float seconds,
         const Tags& tags, const std::optional<base::Moment>& made) {
  const std::string_view view = key_view(key.ptr());
  const cache::Lifetimes lifetimes = lifetimes_of(core, ttl, memory_ttl);
  check_cost(cost, "cost");
  check_cost(seconds, "seconds");
  ValueArgument argument = value_argument(value.ptr(), core.cache.options().max_value);
  argument.view.metadata = bytes_of(metadata);
  if (argument.view.metadata.size() > base::kMaxMetadataBytes) {
    raise("ValueError", "metadata of " + std::to_string(argument.view.metadata.size()) +
                            " bytes: allowed are at most 65536");
  }
  argument.view.cost = cost;
  argument.view.seconds = seconds;
  const std::vector<std::string_view> tag_list = tag_views(tags);
  const std::string encoded = base::encode_tags(tag_list);
  argument.view.tags = std::as_bytes(std::span(encoded));
  base::Moment moment = made.value_or(base::Moment{});
  base::Error error;
  Timer timer(core, Operation::kSet);
  {
    const GilRelease released;
    if (!tags.empty() && !made) error = core.cache.begin(tag_list, lifetimes, moment);
    base::Error of_put = core.cache.put(view, argument.view, lifetimes, moment);
    if (error.ok()) error = std::move(of_put);
  }
  timer.stop(core.cache.has_redis() ? Tier::kRedis : Tier::kMemory);
  raise_if_strict(core, error, {&view, 1});
}

void mput(Core& core, const py::object& keys, const py::object& values, const py::object& ttl,
          const py::object& memory_ttl, float cost, float seconds, const Tags& tags) {
  const KeyBatch batch(keys.ptr());
  const cache::Lifetimes lifetimes = lifetimes_of(core, ttl, memory_ttl);
  check_cost(cost, "cost");
  check_cost(seconds, "seconds");
  const std::vector<std::string_view> tag_list = tag_views(tags);
  const std::string encoded = base::encode_tags(tag_list);
  const auto items = py::tuple(values);
  check_counts(batch.size(), items.size(), "values");
  std::vector<ValueArgument> arguments;
  std::vector<base::ValueView> views;
  arguments.reserve(items.size());
  for (const py::handle item : items) {
    arguments.push_back(value_argument(item.ptr(), core.cache.options().max_value));
    views.push_back(arguments.back().view);
    views.back().cost = cost;
    views.back().seconds = seconds;
    views.back().tags = std::as_bytes(std::span(encoded));
  }
  put_all(core, Operation::kMset, batch, views, lifetimes, tag_list);
}

void set_vectors(Core& core, const py::object& keys, const py::object& matrix,
                 const py::object& ttl, const py::object& memory_ttl, float cost, float seconds) {
  const KeyBatch batch(keys.ptr());
  const cache::Lifetimes lifetimes = lifetimes_of(core, ttl, memory_ttl);
  check_cost(cost, "cost");
  check_cost(seconds, "seconds");
  PyArrayObject* array = matrix_argument(matrix);
  check_counts(batch.size(), static_cast<std::size_t>(PyArray_DIM(array, 0)), "matrix");
  if (batch.size() == 0) return;
  const ValueArgument rows = vector_argument(array, "matrix", PTRDIFF_MAX);
  const std::size_t row_bytes = rows.view.payload.size() / batch.size();
  if (row_bytes > core.cache.options().max_value) {
    raise("ValueError", "matrix with rows of " + std::to_string(row_bytes) +
                            " bytes: allowed are at most max_value=" +
                            std::to_string(core.cache.options().max_value));
  }
  base::ValueView row = rows.view;
  row.shape = {.dims = {rows.view.shape.dims[1]}, .ndim = 1};
  row.cost = cost;
  row.seconds = seconds;
  std::vector<base::ValueView> views(batch.size(), row);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].payload = rows.view.payload.subspan(i * row_bytes, row_bytes);
  }
  put_all(core, Operation::kSetVectors, batch, views, lifetimes);
}

bool delete_key(Core& core, const py::object& key) {
  const std::string_view view = key_view(key.ptr());
  std::size_t erased = 0;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.erase({&view, 1}, erased);
  }
  raise_if_strict(core, error);
  return erased != 0;
}

std::size_t mdelete(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  std::size_t erased = 0;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.erase(batch.views(), erased);
  }
  raise_if_strict(core, error);
  return erased;
}

bool touch(Core& core, const py::object& key, const py::object& ttl) {
  const std::string_view view = key_view(key.ptr());
  const cache::Lifetimes lifetimes =
      lifetimes_of(core, ttl, py::reinterpret_borrow<py::object>(use_default()));
  bool found = false;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.touch(view, lifetimes, found);
  }
  raise_if_strict(core, error);
  return found;
}

bool exists(Core& core, const py::object& key) {
  const std::string_view view = key_view(key.ptr());
  bool found = false;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.contains(view, found);
  }
  raise_if_strict(core, error);
  return found;
}

void clear(Core& core) {
  release_idle_views();
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.clear();
  }
  raise_if_strict(core, error);
}

void close(Core& core) {
  release_idle_views();
  {
    const GilRelease released;
    core.cache.close();
  }
  if (core.cache.redis().has_news()) log_news(core.cache.redis());
  tell_of_log(core);
}

void count_source(Core& core, std::int64_t calls, double seconds) {
  core.cache.counters().add({.source_calls = calls, .source_seconds = seconds});
  if (!core.cache.options().metrics) return;
  core.cache.counters().record(Operation::kSource, Tier::kNone,
                               static_cast<std::uint64_t>(seconds * 1e9));
}

void count_coalesced(Core& core, std::int64_t n) { core.cache.counters().add({.coalesced = n}); }

}  // namespace vcache::bindings
