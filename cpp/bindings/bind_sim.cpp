#include <array>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "bindings/gil.hpp"
#include "bindings/model.hpp"
#include "predictor/foreign_torch.hpp"
#include "predictor/mlp.hpp"
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

py::object new_array(std::vector<npy_intp> shape, int type) {
  return taken(PyArray_SimpleNew(static_cast<int>(shape.size()), shape.data(), type));
}

template <class T>
T* data(const py::object& array) {
  return static_cast<T*>(PyArray_DATA(as_array(array)));
}

std::unique_ptr<predictor::Trainer> trainer_of(const Model* start, std::uint64_t seed) {
  const auto torch = predictor::ForeignTorch::in_use();
  if (!torch) raise("ModelError", "learning needs LibTorch, which is not loaded");
  std::array<float, predictor::Mlp::kWeights> weights{};
  predictor::StartWeights from;
  if (start != nullptr) {
    start->mlp->weights(weights);
    from = weights;
  }
  auto trainer = torch->make_trainer({.seed = seed}, from);
  if (!trainer.ok()) raise("ModelError", trainer.error().detail);
  return std::move(trainer).value();
}

class Replay {
 public:
  Replay(const std::string& policy, std::uint64_t capacity, bool in_bytes, std::uint64_t seed,
         const Model* model, bool by_cost, std::size_t examples, bool learns,
         const std::string& pinned, double span)
      : replay_(sim::make_replay(
            {.policy = policy,
             .capacity = capacity,
             .unit = in_bytes ? sim::Unit::kBytes : sim::Unit::kEntries,
             .seed = seed,
             .model = model == nullptr ? nullptr : model->mlp,
             .trainer = learns ? trainer_of(model, seed) : nullptr,
             .objective = by_cost ? l1::policy::Objective::kCost : l1::policy::Objective::kMisses,
             .examples = examples,
             .pinned = pinned,
             .span =
                 std::chrono::duration_cast<base::Nanos>(std::chrono::duration<double>(span))})),
        looks_ahead_(policy == "belady") {
    if (replay_ == nullptr) raise("ValueError", "policy='" + policy + "' is unknown");
  }

  void run(const py::object& ids, const py::object& sizes, const py::object& costs,
           const py::object& next_uses, const py::object& times) {
    const sim::Requests requests{
        .ids = elements<std::uint64_t>(ids, NPY_UINT64, "ids"),
        .sizes = elements<std::uint32_t>(sizes, NPY_UINT32, "sizes"),
        .costs = elements<float>(costs, NPY_FLOAT32, "costs"),
        .next_uses = elements<std::uint64_t>(next_uses, NPY_UINT64, "next_uses"),
        .times = elements<std::int64_t>(times, NPY_INT64, "times")};
    const auto fits = [&](std::size_t size) { return size == 0 || size == requests.ids.size(); };
    if (!fits(requests.sizes.size()) || !fits(requests.costs.size()) ||
        !fits(requests.next_uses.size()) || !fits(requests.times.size()) ||
        (looks_ahead_ && requests.next_uses.empty())) {
      raise("ValueError", "arrays of a trace differ in length");
    }
    const GilRelease released;
    replay_->run(requests);
  }

  // Arrays of one row an example.
  [[nodiscard]] py::dict examples() const {
    const auto kept = replay_->examples();
    const auto n = static_cast<npy_intp>(kept.size());
    const py::object features = new_array({n, npy_intp{predictor::kInputs}}, NPY_FLOAT32);
    const py::object heads = new_array({n}, NPY_UINT8);
    const py::object labels = new_array({n}, NPY_BOOL);
    const py::object weights = new_array({n}, NPY_FLOAT32);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      predictor::write_features(
          kept[i].snapshot,
          predictor::Inputs(data<float>(features) + i * predictor::kInputs, predictor::kInputs));
      data<std::uint8_t>(heads)[i] = kept[i].head;
      data<bool>(labels)[i] = kept[i].is_accessed;
      data<float>(weights)[i] = kept[i].weight;
    }
    py::dict out;
    out["features"] = features;
    out["heads"] = heads;
    out["labels"] = labels;
    out["weights"] = weights;
    return out;
  }

  [[nodiscard]] py::tuple outcomes() const {
    const auto known = replay_->outcomes();
    const auto n = static_cast<npy_intp>(known.size());
    const py::object probabilities = new_array({n}, NPY_FLOAT64);
    const py::object are_read = new_array({n}, NPY_BOOL);
    for (std::size_t i = 0; i < known.size(); ++i) {
      data<double>(probabilities)[i] = known[i].probability;
      data<bool>(are_read)[i] = known[i].is_read;
    }
    return py::make_tuple(probabilities, are_read);
  }

  // Name and misses in its shadow of each expert that took part, and who leads.
  [[nodiscard]] py::dict experts() const {
    py::dict out;
    const l1::policy::Learned* learned = replay_->learned();
    if (learned == nullptr) return out;
    py::dict misses;
    for (const l1::policy::ExpertRecord& expert : learned->experts()) {
      if (!expert.name.empty()) misses[py::str(std::string(expert.name))] = expert.misses;
    }
    out["leader"] = std::string(learned->leader());
    out["switches"] = learned->switches();
    out["misses"] = misses;
    out["memory_bytes"] = learned->memory_bytes();
    if (const predictor::Learner* learner = replay_->learner(); learner != nullptr) {
      const predictor::LearnerRecord& record = learner->record();
      out["fits"] = record.fits;
      out["published"] = record.published;
      out["loss"] = record.loss;
      out["accuracy"] = record.accuracy;
    }
    return out;
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
  py::class_<Model>(module, "Model", "The weights of a model, without LibTorch. Immutable.")
      .def(py::init<const py::bytes&>(), py::arg("data"));
  py::class_<Replay>(module, "Replay", "A cache of metadata only to which a trace is replayed.")
      .def(py::init<const std::string&, std::uint64_t, bool, std::uint64_t, const Model*, bool,
                    std::size_t, bool, const std::string&, double>(),
           py::kw_only(), py::arg("policy"), py::arg("capacity"), py::arg("in_bytes"),
           py::arg("seed"), py::arg("model") = py::none(), py::arg("by_cost") = false,
           py::arg("examples") = 0, py::arg("learns") = false, py::arg("pinned") = "",
           py::arg("span") = 3'600.0)
      .def("run", &Replay::run, py::arg("ids"), py::arg("sizes").none(true),
           py::arg("costs").none(true), py::arg("next_uses").none(true),
           py::arg("times") = py::none(),
           "The next stretch of the trace: uint64 ids, uint32 sizes or None, float32 costs or\n"
           "None, uint64 next_uses for belady, else None, int64 times in nanoseconds or None;\n"
           "each of one dimension.")
      .def("totals", &Replay::totals)
      .def("examples", &Replay::examples,
           "Of \"learned\", a random part of what could have been learned: float32 features of\n"
           "shape (n, inputs), uint8 heads, bool labels and float32 weights of shape (n,).")
      .def("outcomes", &Replay::outcomes,
           "Of \"learned\", where the trace has times: float64 P(the key is read within `span`\n"
           "seconds) of sampled keys, and bool whether it was, each of shape (n,).")
      .def("experts", &Replay::experts, "Of \"learned\": who leads, and the misses of each.");
  module.attr("MODEL_INPUTS") = predictor::kInputs;
  module.attr("MODEL_HEADS") = predictor::kHeads;
}

}  // namespace vcache::bindings
