#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/mutex.hpp"
#include "bindings/gil.hpp"
#include "predictor/foreign_torch.hpp"

namespace vcache::bindings {

namespace {

using predictor::ForeignTorch;
using predictor::kInputs;
using predictor::Mlp;
using predictor::Target;

[[noreturn]] void raise_model_error(const base::Error& error) { raise("ModelError", error.detail); }

// The capsule is kept for ever; that CPython unloads no extension module keeps what it points to.
void use_torch(const py::object& capsule) {
  if (!PyCapsule_CheckExact(capsule.ptr())) {
    raise("TypeError",
          "capsule=" + shown(capsule.ptr()) + ": allowed is the table of vcache._torch");
  }
  const char* name = PyCapsule_GetName(capsule.ptr());
  if (name == nullptr || std::string_view(name) != predictor::kTorchTableName) {
    raise("ModelError",
          std::string("the module with LibTorch is of another build: its table is '") +
              (name == nullptr ? "" : name) + "', expected '" + predictor::kTorchTableName + "'");
  }
  const auto* table =
      static_cast<const predictor::TorchTable*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (table == nullptr) throw PythonError();
  const auto torch = ForeignTorch::over(*table);
  if (!torch.ok()) raise_model_error(torch.error());
  Py_INCREF(capsule.ptr());
  torch.value().use();
}

// The elements of an array of these dimensions, as they lie.
template <class T, std::size_t kDims>
std::span<const T> elements(const py::object& values, int type, std::array<npy_intp, kDims> shape,
                            const char* name) {
  PyArrayObject* array = as_array(values);
  const bool fits = PyArray_Check(values.ptr()) && PyArray_TYPE(array) == type &&
                    PyArray_NDIM(array) == int{kDims} && PyArray_ISCARRAY_RO(array) &&
                    std::ranges::equal(shape, std::span(PyArray_DIMS(array), kDims));
  if (!fits) raise("TypeError", std::string(name) + "=" + shown(values.ptr()) + ": wrong array");
  return {static_cast<const T*>(PyArray_DATA(array)),
          static_cast<std::size_t>(PyArray_SIZE(array))};
}

struct Examples {
  std::span<const float> features;
  std::vector<Target> targets;
};

Examples examples_of(const py::object& features, const py::object& heads, const py::object& labels,
                     const py::object& weights) {
  const npy_intp rows = PyArray_Check(labels.ptr()) ? PyArray_SIZE(as_array(labels)) : 0;
  const std::array<npy_intp, 1> column = {rows};
  const auto label = elements<float>(labels, NPY_FLOAT32, column, "labels");
  const auto head = elements<std::uint8_t>(heads, NPY_UINT8, column, "heads");
  const auto weight = elements<float>(weights, NPY_FLOAT32, column, "weights");
  Examples out{.features = elements<float>(features, NPY_FLOAT32,
                                           std::array<npy_intp, 2>{rows, kInputs}, "features"),
               .targets = std::vector<Target>(label.size())};
  for (std::size_t i = 0; i < label.size(); ++i) {
    out.targets[i] = {.label = label[i], .weight = weight[i], .head = head[i]};
  }
  return out;
}

// A trainer that threads may call at once: they wait for each other, without the GIL.
class Trainer {
 public:
  Trainer(std::size_t batch_size, double learning_rate, std::uint64_t seed,
          const py::object& start) {
    const auto torch = ForeignTorch::in_use();
    if (!torch) raise("ModelError", "no module with LibTorch is in use");
    predictor::StartWeights weights;
    if (!start.is_none()) {
      weights.emplace(
          elements<float>(start, NPY_FLOAT32, std::array<npy_intp, 1>{Mlp::kWeights}, "weights")
              .first<Mlp::kWeights>());
    }
    auto made = [&] {
      const GilRelease released;
      return torch->make_trainer(
          {.batch_size = batch_size, .learning_rate = learning_rate, .seed = seed}, weights);
    }();
    raise_pending();
    if (!made.ok()) raise_model_error(made.error());
    trainer_ = std::move(made).value();
  }

  void fit(const py::object& features, const py::object& heads, const py::object& labels,
           const py::object& weights, std::size_t passes) {
    const Examples examples = examples_of(features, heads, labels, weights);
    const base::Error error =
        unlocked([&] { return trainer_->fit(examples.features, examples.targets, passes); });
    raise_pending();
    if (!error.ok()) raise_model_error(error);
  }

  double loss(const py::object& features, const py::object& heads, const py::object& labels,
              const py::object& weights) {
    const Examples examples = examples_of(features, heads, labels, weights);
    const auto loss = unlocked([&] { return trainer_->loss(examples.features, examples.targets); });
    raise_pending();
    if (!loss.ok()) raise_model_error(loss.error());
    return loss.value();
  }

  py::object weights() {
    npy_intp size = Mlp::kWeights;
    py::object out = taken(PyArray_SimpleNew(1, &size, NPY_FLOAT32));
    auto* data = static_cast<float*>(PyArray_DATA(as_array(out)));
    unlocked([&] { trainer_->weights(std::span<float, Mlp::kWeights>(data, Mlp::kWeights)); });
    raise_pending();
    return out;
  }

  py::bytes archive() {
    const auto archive = unlocked([&] { return trainer_->archive(); });
    raise_pending();
    if (!archive.ok()) raise_model_error(archive.error());
    return py::bytes(archive.value());
  }

 private:
  // What `work`, which touches no Python object, returns.
  template <class Work>
  std::invoke_result_t<Work> unlocked(Work work) {
    const GilRelease released;
    const base::LockGuard turn(mutex_);
    return work();
  }

  base::Mutex mutex_;
  std::unique_ptr<predictor::Trainer> trainer_;
};

}  // namespace

void bind_torch(py::module_& module) {
  module.def("use_torch", &use_torch, py::arg("capsule"),
             "Has LibTorch's functions called by the table in vcache._torch.");
  py::class_<Trainer>(module, "Trainer",
                      "Fits a model of the cache's shape to examples, with LibTorch and without "
                      "the GIL. Thread-safe.")
      .def(py::init<std::size_t, double, std::uint64_t, const py::object&>(), py::kw_only(),
           py::arg("batch_size"), py::arg("learning_rate"), py::arg("seed"),
           py::arg("weights").none(true), "float32 weights to start from, or None.")
      .def("fit", &Trainer::fit, py::arg("features"), py::arg("heads"), py::arg("labels"),
           py::arg("weights"), py::arg("passes"),
           "Steps over float32 features of shape (n, inputs), uint8 heads, float32 labels and\n"
           "weights. ModelError where a number is not finite or not allowed; the model is then\n"
           "as before.")
      .def("loss", &Trainer::loss, py::arg("features"), py::arg("heads"), py::arg("labels"),
           py::arg("weights"), "The weighted mean of the cross entropy, in nats.")
      .def("weights", &Trainer::weights, "The model's float32 weights, layer after layer.")
      .def("archive", &Trainer::archive, "The model as the bytes of a TorchScript file.");
}

}  // namespace vcache::bindings
