#include <algorithm>
#include <array>
#include <limits>

#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/memory_hit.hpp"
#include "bindings/views.hpp"

namespace vcache::bindings {

namespace {

using cache::Operation;
using cache::Tier;

// Base of vcache.Cache: the calls that must cost no more than the look-up. pybind11's dispatcher
// would double them, so these are plain vectorcall methods.
struct CacheBase {
  PyObject_HEAD PyObject* core_object;  // keeps `core` alive
  Core* core;
  CallCount count;
};

CacheBase* as_base(PyObject* self) noexcept { return reinterpret_cast<CacheBase*>(self); }

// Runs a body that may throw PythonError, as C expects it.
template <class Body>
PyObject* guarded(CacheBase* self, Body&& body) noexcept {
  try {
    if (self->core == nullptr) raise("RuntimeError", "Cache.__init__ was not called");
    return body(*self->core);
  } catch (const PythonError&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

struct GetArguments {
  PyObject* key;
  PyObject* otherwise;
};

GetArguments named_get_arguments(const char* function, PyObject* const* args, Py_ssize_t count,
                                 PyObject* names) {
  static constexpr std::array<const char*, 2> kParameters = {"key", "default"};
  std::array<PyObject*, 2> given{};
  fit_arguments({.function = function, .parameters = kParameters, .positional = 2, .required = 1},
                args, count, names, given);
  return {.key = given[0], .otherwise = given[1] != nullptr ? given[1] : Py_None};
}

GetArguments get_arguments(const char* function, PyObject* const* args, Py_ssize_t count,
                           PyObject* names) {
  if (names == nullptr && count >= 1 && count <= 2) {
    return {.key = args[0], .otherwise = count == 2 ? args[1] : Py_None};
  }
  if (names != nullptr && count == 1 && PyTuple_GET_SIZE(names) == 1 &&
      PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "default") == 0) {
    return {.key = args[0], .otherwise = args[1]};
  }
  return named_get_arguments(function, args, count, names);
}

l1::EntryRef find_redis(Core& core, std::string_view key, cache::Stale stale) {
  cache::Located located;
  base::Error error;
  Timer timer(core, Operation::kGet);
  {
    const GilRelease released;
    error = core.cache.find_redis(key, located, stale);
  }
  timer.stop(Tier::kRedis);
  raise_if_strict(core, error);
  return std::move(located.entry);
}

PyObject* get_as(const char* name, cache::Stale stale, PyObject* object, PyObject* const* args,
                 Py_ssize_t count, PyObject* names) {
  return guarded(as_base(object), [&](Core& core) -> PyObject* {
    const auto [key_object, otherwise] = get_arguments(name, args, count, names);
    const std::string_view key = key_view(key_object);
    core.reads.note(key_object);
    PyObject* value = hit_in_memory(core, key, as_base(object)->count, stale);
    if (value != nullptr || PyErr_Occurred() != nullptr) return value;
    if (!core.cache.has_redis()) {
      core.cache.count_miss(key);
      tell_of_log(core);
      return Py_NewRef(otherwise);
    }
    if (!core.strict && core.cache.skip_redis(key)) return Py_NewRef(otherwise);
    l1::EntryRef entry = find_redis(core, key, stale);
    return entry ? to_python(std::move(entry)) : Py_NewRef(otherwise);
  });
}

PyObject* get(PyObject* object, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return get_as("get", cache::Stale::kUnanswered, object, args, count, names);
}

PyObject* fresh_get(PyObject* object, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return get_as("_fresh_get", cache::Stale::kNever, object, args, count, names);
}

PyObject* memory_get_as(const char* name, cache::Stale stale, PyObject* object,
                        PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded(as_base(object), [&](Core& core) -> PyObject* {
    const auto [key_object, otherwise] = get_arguments(name, args, count, names);
    PyObject* value = hit_in_memory(core, key_view(key_object), as_base(object)->count, stale);
    if (value != nullptr) core.reads.note(key_object);  // who missed asks again
    return value != nullptr || PyErr_Occurred() != nullptr ? value : Py_NewRef(otherwise);
  });
}

PyObject* memory_get(PyObject* object, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return memory_get_as("_memory_get", cache::Stale::kUnanswered, object, args, count, names);
}

PyObject* fresh_memory_get(PyObject* object, PyObject* const* args, Py_ssize_t count,
                           PyObject* names) {
  return memory_get_as("_fresh_memory_get", cache::Stale::kNever, object, args, count, names);
}

// What set() was given, by the places of its parameters; nullptr for what it was not.
constexpr std::array<const char*, 8> kSetParameters = {"key",      "value", "ttl",  "memory_ttl",
                                                       "metadata", "tags",  "cost", "volatility"};
enum SetPlace : std::uint8_t {
  kKey,
  kValue,
  kTtl,
  kMemoryTtl,
  kMetadata,
  kTags,
  kCost,
  kVolatility
};
using SetGiven = std::array<PyObject*, kSetParameters.size()>;

SetGiven set_arguments(PyObject* const* args, Py_ssize_t count, PyObject* names) {
  SetGiven given{};
  if (names == nullptr && count == 2) {
    given[kKey] = args[0];
    given[kValue] = args[1];
  } else {
    fit_arguments({.function = "set", .parameters = kSetParameters, .positional = 2, .required = 2},
                  args, count, names, given);
  }
  return given;
}

// What is plain enough for the fast path.
struct SetOptions {
  cache::Lifetimes lifetimes;
  float cost = 0;
};

// False: for the general path.
bool read_seconds(PyObject* value, cache::Ttl& out) {
  if (value == nullptr) return true;
  if (value == Py_None) {
    out.reset();
    return true;
  }
  if (!PyFloat_CheckExact(value) && !PyLong_CheckExact(value)) return false;
  const double seconds = PyFloat_AsDouble(value);
  if (PyErr_Occurred() != nullptr) PyErr_Clear();  // then it is -1
  out = lifetime_of(seconds);
  return out.has_value();
}

bool read_cost(PyObject* value, float& out) {
  if (value == nullptr) return true;
  if (!PyFloat_CheckExact(value)) return false;
  out = static_cast<float>(PyFloat_AS_DOUBLE(value));
  return out >= 0 && out <= std::numeric_limits<float>::max();
}

bool read_plain(const Core& core, const SetGiven& given, SetOptions& out) {
  const auto& options = core.cache.options();
  out.lifetimes = {.ttl = options.ttl,
                   .memory_ttl = options.memory_ttl,
                   .ttl_by_use = given[kTtl] == nullptr,
                   .memory_ttl_by_use = given[kMemoryTtl] == nullptr};
  return given[kMetadata] == nullptr && given[kTags] == nullptr && given[kVolatility] == nullptr &&
         read_seconds(given[kTtl], out.lifetimes.ttl) &&
         read_seconds(given[kMemoryTtl], out.lifetimes.memory_ttl) &&
         read_cost(given[kCost], out.cost);
}

PyObject* set_generally(PyObject* object, const SetGiven& given) {
  std::array<PyObject*, kSetParameters.size()> args{given[kKey], given[kValue]};
  std::size_t count = 2;
  const PyOwned method(PyObject_GetAttrString(object, "_set_general"));
  const PyOwned names(PyTuple_New(std::ranges::count_if(
      std::span(given).subspan(kTtl), [](PyObject* value) { return value != nullptr; })));
  if (!method || !names) return nullptr;
  for (std::size_t i = kTtl; i < given.size(); ++i) {
    if (given[i] == nullptr) continue;
    PyObject* name = PyUnicode_InternFromString(kSetParameters[i]);
    if (name == nullptr) return nullptr;
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(count - 2), name);
    args[count++] = given[i];
  }
  return call_python(
      [&] { return PyObject_Vectorcall(method.get(), args.data(), 2, names.get()); });
}

void put(Core& core, std::string_view key, const base::ValueView& value,
         const cache::Lifetimes& lifetimes) {
  if (!core.cache.has_redis() && value.payload.size() <= GilRelease::kLongBytes) {
    (void)core.cache.put(key, value, lifetimes);
    return;
  }
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.put(key, value, lifetimes);
  }
  raise_if_strict(core, error, {&key, 1});
}

PyObject* set(PyObject* object, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded(as_base(object), [&](Core& core) -> PyObject* {
    const SetGiven given = set_arguments(args, count, names);
    SetOptions options;
    if (!read_plain(core, given, options)) return set_generally(object, given);
    const std::string_view key = key_view(given[kKey]);
    core.fills.note(key);
    ValueArgument value = value_argument(given[kValue], core.cache.options().max_value);
    value.view.cost = options.cost;
    if (as_base(object)->count.is_timed(core)) {
      Timer timer(core, Operation::kSet);
      put(core, key, value.view, options.lifetimes);
      timer.stop(core.cache.has_redis() ? Tier::kRedis : Tier::kMemory);
    } else {
      put(core, key, value.view, options.lifetimes);
    }
    Py_RETURN_NONE;
  });
}

int init(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"core", nullptr};
  PyObject* core_object = nullptr;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "O", const_cast<char**>(names), &core_object) ==
      0) {
    return -1;
  }
  auto* self = as_base(object);
  if (self->core != nullptr) {  // another thread may be in a call of it
    set_error("RuntimeError", "Cache.__init__ was called already");
    return -1;
  }
  try {
    self->core = core_argument(core_object);
  } catch (const PythonError&) {
    return -1;
  }
  self->core_object = Py_NewRef(core_object);
  return 0;
}

void dealloc(PyObject* object) {
  release_idle_views();
  Py_CLEAR(as_base(object)->core_object);
  Py_TYPE(object)->tp_free(object);
}

template <class Function>
PyCFunction as_method(Function function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"get", as_method(get), METH_FASTCALL | METH_KEYWORDS,
     "get($self, key, default=None)\n--\n\n"
     "The value under `key`, from memory or Redis, or `default`.\n\n"
     "A vector is a read-only array that stays valid after eviction; an object is decoded anew.\n"
     "Raises TypeError or ValueError for a key that is not 1 to 1024 bytes of str or bytes."},
    {"_fresh_get", as_method(fresh_get), METH_FASTCALL | METH_KEYWORDS,
     "_fresh_get($self, key, default=None)\n--\n\n"
     "get() that returns no expired value, whatever Redis answers."},
    {"_memory_get", as_method(memory_get), METH_FASTCALL | METH_KEYWORDS,
     "_memory_get($self, key, default=None)\n--\n\n"
     "get() that asks memory only and counts no miss."},
    {"_fresh_memory_get", as_method(fresh_memory_get), METH_FASTCALL | METH_KEYWORDS,
     "_fresh_memory_get($self, key, default=None)\n--\n\n"
     "_memory_get() that returns no unverified value, whether Redis answers or not."},
    {"set", as_method(set), METH_FASTCALL | METH_KEYWORDS,
     "set($self, key, value, *, ttl=..., memory_ttl=..., metadata=None, tags=(), cost=None, "
     "volatility=None)\n--\n\n"
     "Stores a vector (float32, float16, float64, int8, uint8, int32 or int64, 0 to 4 dimensions)\n"
     "or an object that MessagePack can hold, in both tiers.\n\n"
     "ttl, memory_ttl: seconds, timedelta or \"1h30m\"; None: no expiry; omitted: the cache's "
     "own.\n"
     "volatility: how soon the source changes, instead of ttl: \"high\" (1 day), \"medium\" (7) "
     "or\n"
     "\"low\" (30).\n"
     "tags: up to 64 of str or bytes, of 1 to 256 bytes each, for invalidate_tags().\n"
     "cost: what a miss costs, in the caller's unit. Raises SerializationError for other types,\n"
     "ValueError for values over max_value and TTLs not above 0."},
    {nullptr, nullptr, 0, nullptr}};

PyTypeObject base_type = [] {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = "vcache._core.CacheBase";
  type.tp_basicsize = sizeof(CacheBase);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  type.tp_methods = methods;
  type.tp_init = init;
  type.tp_new = PyType_GenericNew;
  type.tp_dealloc = dealloc;
  type.tp_doc = "CacheBase(core)\n--\n\nFast calls of vcache.Cache over a TieredCache.";
  return type;
}();

}  // namespace

void bind_cache_base(py::module_& module) {
  if (PyType_Ready(&base_type) != 0) throw py::error_already_set();
  module.attr("CacheBase") = py::handle(reinterpret_cast<PyObject*>(&base_type));
}

}  // namespace vcache::bindings
