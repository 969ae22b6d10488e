#include "bindings/entry_facts.hpp"
#include "bindings/keys.hpp"
#include "bindings/loading_calls.hpp"

namespace vcache::bindings {

namespace {

py::list peek_times(Core& core, const py::object& keys) {
  const KeyBatch batch(keys.ptr());
  py::list times(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const l1::EntryRef entry = core.cache.peek_memory(batch.views()[i]);
    times[i] = entry ? py::object(py::make_tuple(age_of(core, *entry), seconds_left(core, *entry),
                                                 entry->has_tags()))
                     : py::none();
  }
  return times;
}

}  // namespace

void bind_reads(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache
      .def("peek_times", &peek_times, py::arg("keys"),
           "Of each key that memory has its age, the seconds left, which is None for no\n"
           "expiry, and whether it has tags; else None. Counts nothing.")
      .def(
          "watch_reads", [](Core& core, bool on) { core.reads.watch(on); }, py::arg("on"),
          "Has the keys of reads be noted, or no longer.")
      .def(
          "take_reads", [](Core& core) { return core.reads.take(); },
          "The keys that were read since the last call, 4,096 at most, the oldest first.");
}

}  // namespace vcache::bindings
