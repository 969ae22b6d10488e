#include <algorithm>

#include "bindings/cache_calls.hpp"
#include "bindings/entry_facts.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

using cache::Located;
using cache::Operation;
using cache::Tier;

Tier slowest_of(std::span<const Located> located, bool has_redis) noexcept {
  for (const Located& each : located) {
    if (each.tier != Tier::kMemory && has_redis) return Tier::kRedis;
  }
  return Tier::kMemory;
}

py::bytes metadata_of(const l1::Entry& entry) {
  const base::ByteView bytes = entry.metadata();
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// GilRelease where the batch is long: a few keys in memory are found sooner than it takes.
class LongBatch {
 public:
  explicit LongBatch(const KeyBatch& keys) {
    if (keys.size() > GilRelease::kLongBatch) released_.emplace();
  }

 private:
  std::optional<GilRelease> released_;
};

std::vector<Located> find_many(Core& core, const KeyBatch& keys,
                               cache::Stale stale = cache::Stale::kUnanswered) {
  std::vector<Located> located(keys.size());
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.find_many(keys.views(), located, stale);
  }
  raise_if_strict(core, error);
  return located;
}

cache::Stale stale_for(bool fresh) noexcept {
  return fresh ? cache::Stale::kNever : cache::Stale::kUnanswered;
}

py::list to_list(std::span<Located> located, const py::object& otherwise) {
  py::list values(located.size());
  for (std::size_t i = 0; i < located.size(); ++i) {
    values[i] = located[i].entry ? taken(to_python(std::move(located[i].entry))) : otherwise;
  }
  return values;
}

// The matrix that get_vectors() fills: the caller's, or a new one.
struct Target {
  py::object matrix;
  py::object found;
  cache::VectorRows rows;
};

base::DType dtype_argument(const std::string& name) {
  const auto dtype = dtype_named(name);
  if (!dtype) raise("ValueError", "dtype='" + name + "': allowed are " + dtype_names());
  return *dtype;
}

void check_out(const py::object& out, std::size_t count, base::DType dtype,
               const std::optional<std::uint32_t>& dim) {
  const bool fits = PyArray_Check(out.ptr()) && PyArray_ISCARRAY(as_array(out)) &&
                    PyArray_NDIM(as_array(out)) == 2 &&
                    PyArray_DIM(as_array(out), 0) == static_cast<npy_intp>(count) &&
                    (!dim || PyArray_DIM(as_array(out), 1) == static_cast<npy_intp>(*dim)) &&
                    PyArray_EquivTypes(PyArray_DESCR(as_array(out)), descr_of(dtype));
  if (fits) return;
  raise("ValueError", "out=" + shown(out.ptr()) + ": allowed is a writeable C-contiguous (" +
                          std::to_string(count) + ", " + (dim ? std::to_string(*dim) : "dim") +
                          ") array of the dtype asked for");
}

py::object new_array(npy_intp rows, npy_intp width, int ndim, PyArray_Descr* descr) {
  const npy_intp dims[] = {rows, width};
  Py_INCREF(descr);
  return taken(PyArray_Empty(ndim, dims, descr, 0));
}

Target make_target(std::size_t count, std::uint32_t width, base::DType dtype,
                   const py::object& out) {
  const auto rows = static_cast<npy_intp>(count);
  static PyArray_Descr* const bool_descr = PyArray_DescrFromType(NPY_BOOL);
  Target target{.matrix = out.is_none() ? new_array(rows, width, 2, descr_of(dtype)) : out,
                .found = new_array(rows, 0, 1, bool_descr),
                .rows = {.dtype = dtype, .width = width}};
  target.rows.data = static_cast<std::byte*>(PyArray_DATA(as_array(target.matrix)));
  target.rows.found = static_cast<bool*>(PyArray_DATA(as_array(target.found)));
  return target;
}

std::optional<std::uint32_t> width_of(const l1::EntryRef& entry, base::DType dtype) {
  if (!entry || entry->kind() != base::ValueKind::kVector || entry->dtype != dtype ||
      entry->ndim != 1) {
    return std::nullopt;
  }
  return entry->shape().dims[0];
}

// The first key's value in memory tells the width without another pass, where it is there.
std::optional<std::uint32_t> likely_width(Core& core, const KeyBatch& keys, base::DType dtype) {
  return keys.size() == 0 ? std::nullopt : width_of(core.cache.peek_memory(keys.views()[0]), dtype);
}

py::tuple get_rows(Core& core, const KeyBatch& keys, const Target& target) {
  base::Error error;
  Timer timer(core, Operation::kGetVectors);
  Tier slowest = Tier::kMemory;
  {
    const GilRelease released;
    error = core.cache.get_vectors(keys.views(), target.rows, slowest);
  }
  timer.stop(slowest);
  raise_if_strict(core, error);
  return py::make_tuple(target.matrix, target.found);
}

bool any_found(const Target& target, std::size_t count) {
  return std::find(target.rows.found, target.rows.found + count, true) != target.rows.found + count;
}

// In a cache without memory tier: rows as wide as the last ones, where all values are; else
// nothing.
std::optional<py::tuple> get_rows_of_last_width(Core& core, const KeyBatch& keys,
                                                base::DType dtype) {
  const std::uint32_t width = core.last_width.load(std::memory_order_relaxed);
  if (width == 0 || !core.cache.reads_rows_from_redis()) return std::nullopt;
  Timer timer(core, Operation::kGetVectors);
  Target target = make_target(keys.size(), width, dtype, py::none());
  base::Error error;
  bool even = false;
  {
    const GilRelease released;
    even = core.cache.get_likely_vectors(keys.views(), target.rows, error);
  }
  if (!even) return std::nullopt;
  timer.stop(Tier::kRedis);
  raise_if_strict(core, error);
  if (!any_found(target, keys.size())) {
    target.matrix = new_array(static_cast<npy_intp>(keys.size()), 0, 2, descr_of(dtype));
  }
  return py::make_tuple(target.matrix, target.found);
}

// For a width that only the values tell.
py::tuple get_rows_of_any_width(Core& core, const KeyBatch& keys, base::DType dtype) {
  Timer timer(core, Operation::kGetVectors);
  const std::vector<Located> located = find_many(core, keys);
  std::optional<std::uint32_t> width;
  for (std::size_t i = 0; i < located.size() && !width; ++i) {
    width = width_of(located[i].entry, dtype);
  }
  if (width) core.last_width.store(*width, std::memory_order_relaxed);
  const Target target = make_target(keys.size(), width.value_or(0), dtype, py::none());
  {
    const GilRelease released;
    core.cache.gather(located, target.rows);
  }
  timer.stop(slowest_of(located, core.cache.has_redis()));
  return py::make_tuple(target.matrix, target.found);
}

}  // namespace

py::tuple lookup(Core& core, const py::object& key) {
  const std::string_view view = key_view(key.ptr());
  core.reads.note(key.ptr());
  Located located{.entry = core.cache.find_memory(view), .tier = Tier::kMemory};
  if (!located.entry) {
    located.entry = core.cache.find_unverified(view);
    located.stale = static_cast<bool>(located.entry);
  }
  if (!located.entry) {
    located.tier = Tier::kNone;
    base::Error error;
    {
      const GilRelease released;
      error = core.cache.find_redis(view, located);
    }
    raise_if_strict(core, error);
  }
  if (!located.entry) {
    return py::make_tuple(py::handle(missing()), py::none(), py::none(), py::none(), py::none(),
                          false);
  }
  const char* tier = name_of(located.tier);
  py::object left = seconds_left(core, *located.entry);
  const double age = age_of(core, *located.entry);
  py::bytes metadata = metadata_of(*located.entry);
  return py::make_tuple(taken(to_python(std::move(located.entry))), tier, age, left, metadata,
                        located.stale);
}

py::list mget(Core& core, const py::object& keys, const py::object& otherwise, bool fresh) {
  const KeyBatch batch(keys.ptr());
  core.reads.note(batch.objects());
  Timer timer(core, Operation::kMget);
  std::vector<Located> located = find_many(core, batch, stale_for(fresh));
  const Tier slowest = slowest_of(located, core.cache.has_redis());
  py::list values = to_list(located, otherwise);
  timer.stop(slowest);
  return values;
}

py::list memory_get_many(Core& core, const py::object& keys, const py::object& otherwise,
                         bool fresh) {
  const KeyBatch batch(keys.ptr());
  std::vector<l1::EntryRef> found(batch.size());
  {
    const LongBatch released(batch);
    (void)core.cache.find_many_in_memory(batch.views(), found, stale_for(fresh));
  }
  py::list values(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    values[i] = found[i] ? taken(to_python(std::move(found[i]))) : otherwise;
  }
  return values;
}

bool memory_has(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  const LongBatch released(batch);
  return std::ranges::all_of(batch.views(), [&](std::string_view key) {
    return static_cast<bool>(core.cache.peek_memory(key));
  });
}

py::tuple get_vectors(Core& core, const py::object& keys, std::optional<std::uint32_t> dim,
                      const std::string& dtype_name, const py::object& out) {
  const base::DType dtype = dtype_argument(dtype_name);
  const KeyBatch batch(keys.ptr());
  core.reads.note(batch.objects());
  std::optional<std::uint32_t> width = dim;
  if (!out.is_none()) {
    check_out(out, batch.size(), dtype, dim);
    width = static_cast<std::uint32_t>(PyArray_DIM(as_array(out), 1));
  }
  if (!width) width = likely_width(core, batch, dtype);
  if (!width) {
    std::optional<py::tuple> rows = get_rows_of_last_width(core, batch, dtype);
    return rows ? *std::move(rows) : get_rows_of_any_width(core, batch, dtype);
  }
  return get_rows(core, batch, make_target(batch.size(), *width, dtype, out));
}

}  // namespace vcache::bindings
