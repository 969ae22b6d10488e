#include <span>
#include <string>
#include <vector>

#include "bindings/gil.hpp"
#include "sim/replay.hpp"

namespace vcache::bindings {

namespace {

// The elements of an array of one dimension, as they lie; of None, none.
template <class T>
std::span<const T> elements(const py::object& values, int type, const char* name) {
  if (values.is_none()) return {};
  PyArrayObject* array = as_array(values);
  const bool fits = PyArray_Check(values.ptr()) && PyArray_TYPE(array) == type &&
                    PyArray_NDIM(array) == 1 && PyArray_ISCARRAY_RO(array);
  if (!fits) raise("TypeError", std::string(name) + "=" + shown(values.ptr()) + ": wrong array");
  return {static_cast<const T*>(PyArray_DATA(array)),
          static_cast<std::size_t>(PyArray_SIZE(array))};
}

class Replay {
 public:
  Replay(const std::string& policy, std::uint64_t capacity, bool in_bytes, std::uint64_t seed)
      : replay_(sim::make_replay(policy, capacity,
                                 in_bytes ? sim::Unit::kBytes : sim::Unit::kEntries, seed)),
        looks_ahead_(policy == "belady") {
    if (replay_ == nullptr) raise("ValueError", "policy='" + policy + "' is unknown");
  }

  void run(const py::object& ids, const py::object& sizes, const py::object& costs,
           const py::object& next_uses) {
    const sim::Requests requests{
        .ids = elements<std::uint64_t>(ids, NPY_UINT64, "ids"),
        .sizes = elements<std::uint32_t>(sizes, NPY_UINT32, "sizes"),
        .costs = elements<float>(costs, NPY_FLOAT32, "costs"),
        .next_uses = elements<std::uint64_t>(next_uses, NPY_UINT64, "next_uses")};
    const auto fits = [&](std::size_t size) { return size == 0 || size == requests.ids.size(); };
    if (!fits(requests.sizes.size()) || !fits(requests.costs.size()) ||
        !fits(requests.next_uses.size()) || (looks_ahead_ && requests.next_uses.empty())) {
      raise("ValueError", "arrays of a trace differ in length");
    }
    const GilRelease released;
    replay_->run(requests);
  }

  [[nodiscard]] py::dict totals() const {
    const sim::Totals& t = replay_->totals();
    py::dict out;
    out["requests"] = t.requests;
    out["hits"] = t.hits;
    out["evictions"] = t.evictions;
    out["bytes_requested"] = t.bytes_requested;
    out["bytes_hit"] = t.bytes_hit;
    out["cost_requested"] = t.cost_requested;
    out["cost_saved"] = t.cost_saved;
    out["seconds"] = t.seconds;
    return out;
  }

 private:
  std::unique_ptr<sim::Replay> replay_;
  bool looks_ahead_;
};

}  // namespace

void bind_sim(py::module_& module) {
  module.def(
      "replay_names",
      [] {
        const auto names = sim::replay_names();
        return std::vector<std::string>(names.begin(), names.end());
      },
      "Every policy that a Replay can have.");
  py::class_<Replay>(module, "Replay", "A cache of metadata only to which a trace is replayed.")
      .def(py::init<const std::string&, std::uint64_t, bool, std::uint64_t>(), py::kw_only(),
           py::arg("policy"), py::arg("capacity"), py::arg("in_bytes"), py::arg("seed"))
      .def("run", &Replay::run, py::arg("ids"), py::arg("sizes").none(true),
           py::arg("costs").none(true), py::arg("next_uses").none(true),
           "The next stretch of the trace: uint64 ids, uint32 sizes or None, float32 costs or\n"
           "None, uint64 next_uses for belady, else None; each of one dimension.")
      .def("totals", &Replay::totals);
}

}  // namespace vcache::bindings
