#include <memory>
#include <optional>
#include <utility>

#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/listing_calls.hpp"

namespace vcache::bindings {

namespace {

py::object key_object(std::string_view key) {
  const auto size = static_cast<Py_ssize_t>(key.size());
  PyObject* text = PyUnicode_DecodeUTF8(key.data(), size, nullptr);
  if (text != nullptr) return taken(text);
  if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) == 0) throw PythonError();
  PyErr_Clear();
  return taken(PyBytes_FromStringAndSize(key.data(), size));
}

py::list key_objects(const std::vector<std::string>& keys) {
  py::list out(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) out[i] = key_object(keys[i]);
  return out;
}

// Numbers of shards and of places in one are far below this.
constexpr std::uint64_t kPlaces = std::uint64_t{1} << 48;

// The keys, and where to go on: None at the end.
py::tuple memory_keys(Core& core, const py::bytes& prefix, std::uint64_t from) {
  const std::string_view view = prefix;
  std::vector<std::string> keys;
  std::optional<l1::L1Cache::Place> next;
  {
    const GilRelease released;
    next = core.cache.list_memory({.shard = from / kPlaces, .at = from % kPlaces}, view, keys);
  }
  return py::make_tuple(key_objects(keys),
                        next ? py::object(py::int_(next->shard * kPlaces + next->at)) : py::none());
}

// The next keys; where Redis fails, those that are known all the same, or an exception.
py::list redis_keys(Core& core, const py::bytes& prefix, l2::L2::Page& page, bool required) {
  const std::string_view view = prefix;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.list_redis(view, page);
  }
  if (!error.ok()) page.is_last = true;
  raise_if_strict(core, error);
  if (required && !error.ok()) raise(error);
  return key_objects(std::exchange(page.keys, {}));
}

py::list mexists(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  const auto found = std::make_unique<bool[]>(batch.size());  // NOLINT(modernize-avoid-c-arrays)
  const std::span<bool> view(found.get(), batch.size());
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.contains_many(batch.views(), view);
  }
  raise_if_strict(core, error);
  py::list out(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) out[i] = py::bool_(view[i]);
  return out;
}

py::list hot_keys(Core& core, std::size_t n) {
  std::vector<l1::HotKey> hottest;
  {
    const GilRelease released;
    hottest = core.cache.memory().hot_keys(n);
  }
  py::list out(hottest.size());
  for (std::size_t i = 0; i < hottest.size(); ++i) {
    out[i] = py::make_tuple(key_object(hottest[i].key), hottest[i].hits);
  }
  return out;
}

}  // namespace

void bind_listing(py::class_<Core, std::shared_ptr<Core>>& cache) {
  py::class_<l2::L2::Page>(cache, "Page", "Where a walk through the keys of Redis is.")
      .def(py::init<>())
      .def_readonly("is_last", &l2::L2::Page::is_last);
  cache.def("hot_keys", &hot_keys, py::arg("n"))
      .def("memory_keys", &memory_keys, py::arg("prefix"), py::arg("place"))
      .def("redis_keys", &redis_keys, py::arg("prefix"), py::arg("page"), py::arg("required"))
      .def("mexists", &mexists, py::arg("keys"));
}

}  // namespace vcache::bindings
