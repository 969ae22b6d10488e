#include "bindings/entry_facts.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/loading_calls.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

using cache::Located;
using cache::Stale;
using cache::Tier;

py::object timed(Core& core, l1::EntryRef entry) {
  if (!entry) return py::reinterpret_borrow<py::object>(missing());
  py::object left = seconds_left(core, *entry);
  const double age = age_of(core, *entry);
  const float seconds = entry->costs().seconds;
  return py::make_tuple(taken(to_python(std::move(entry))), age, left, seconds);
}

std::vector<Located> in_memory(Core& core, const KeyBatch& keys) {
  std::vector<Located> located(keys.size());
  std::vector<l1::EntryRef> found(keys.size());
  core.cache.memory().find_many(keys.views(), found);
  for (std::size_t i = 0; i < found.size(); ++i) located[i].entry = std::move(found[i]);
  return located;
}

std::vector<Located> in_both(Core& core, const KeyBatch& keys) {
  std::vector<Located> located(keys.size());
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.find_many(keys.views(), located, Stale::kNever);
  }
  raise_if_strict(core, error);
  return located;
}

}  // namespace

py::list find_timed(Core& core, const py::object& keys, bool memory_only) {
  const KeyBatch batch(keys.ptr());
  if (memory_only) core.reads.note(batch.objects());  // who missed asks again
  std::vector<Located> located = memory_only ? in_memory(core, batch) : in_both(core, batch);
  py::list out(batch.size());
  for (std::size_t i = 0; i < located.size(); ++i) {
    out[i] = timed(core, std::move(located[i].entry));
  }
  return out;
}

py::list find_again(Core& core, const py::object& keys, bool stale) {
  const KeyBatch batch(keys.ptr());
  std::vector<Located> located(batch.size());
  {
    const GilRelease released;
    (void)core.cache.find_again(batch.views(), located, stale ? Stale::kAny : Stale::kNever);
  }
  raise_pending();
  py::list out(batch.size());
  for (std::size_t i = 0; i < located.size(); ++i) {
    out[i] = py::reinterpret_borrow<py::object>(missing());
    if (!located[i].entry) continue;
    py::object tier = py::none();
    if (located[i].stale) tier = py::str(name_of(located[i].tier));
    out[i] = py::make_tuple(taken(to_python(std::move(located[i].entry))), tier);
  }
  return out;
}

void count_stale(Core& core, const py::object& key, const std::string& tier) {
  core.cache.count_stale(key_view(key.ptr()), tier == "memory" ? Tier::kMemory : Tier::kRedis);
}

py::list watch_fills(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  py::list out(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    out[i] = py::int_(core.fills.begin(batch.views()[i]));
  }
  return out;
}

bool is_unwritten(Core& core, const py::object& key, std::uint64_t writes) {
  return core.fills.unwritten(key_view(key.ptr()), writes);
}

void unwatch_fills(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  for (const std::string_view key : batch.views()) core.fills.end(key);
}

void unwatch_all(Core& core) { core.fills.clear(); }

void bind_loading(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache.def("find_timed", &find_timed, py::arg("keys"), py::arg("memory_only"))
      .def("find_again", &find_again, py::arg("keys"), py::arg("stale"))
      .def("count_stale", &count_stale, py::arg("key"), py::arg("tier"))
      .def("watch_fills", &watch_fills, py::arg("keys"))
      .def("is_unwritten", &is_unwritten, py::arg("key"), py::arg("writes"))
      .def("unwatch_fills", &unwatch_fills, py::arg("keys"))
      .def("unwatch_all", &unwatch_all);
}

}  // namespace vcache::bindings
