#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/last_stop.hpp"
#include "predictor/model_file.hpp"
#include "predictor/torch/bindings.hpp"
#include "predictor/torch/torch_scorer.hpp"

namespace py = pybind11;

namespace vcache::predictor {

namespace {

// Lets other threads run Python; a thread that finds the interpreter gone stops in the destructor.
class GilRelease {
 public:
  GilRelease() : state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    base::run_or_stop([this] { PyEval_RestoreThread(state_); });
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
};

using Matrix = py::array_t<float, py::array::c_style>;

[[noreturn]] void raise_model_error(const base::Error& error) {
  const py::object type = py::module_::import("vcache.errors").attr("ModelError");
  const auto size = static_cast<Py_ssize_t>(error.detail.size());  // may quote bytes of the file
  const auto message = py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(error.detail.data(), size, "backslashreplace"));
  PyErr_SetObject(type.ptr(), message.ptr());
  throw py::error_already_set();
}

std::string text_of(const py::handle& object) { return py::str(object); }

// Raises unless `features` can be read in place. Nothing is converted or copied.
py::array checked_features(const py::object& features, std::size_t inputs) {
  if (!py::isinstance<py::array>(features) || py::hasattr(features, "mask")) {
    throw py::type_error("features of type " + text_of(py::type::of(features).attr("__name__")) +
                         ": allowed is a numpy.ndarray without a mask");
  }
  auto array = py::reinterpret_borrow<py::array>(features);
  if (!array.dtype().equal(py::dtype::of<float>())) {
    throw py::type_error("features of dtype " + text_of(array.dtype().attr("str")) +
                         ": allowed is float32 in native byte order");
  }
  if (array.ndim() != 2 || std::cmp_not_equal(array.shape(1), inputs)) {
    throw py::value_error("features of shape " + text_of(array.attr("shape")) +
                          ": allowed is (n, " + std::to_string(inputs) + ")");
  }
  constexpr int kReadable = int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
  if ((array.flags() & kReadable) != kReadable) {
    throw py::value_error("features of strides " + text_of(array.attr("strides")) +
                          ": allowed is C-contiguous and aligned");
  }
  return array;
}

std::unique_ptr<Predictor> load(const std::string& path, const std::string& sha256,
                                std::size_t batch_size) {
  using Loaded = base::Result<std::unique_ptr<Predictor>>;
  Loaded scorer = [&]() -> Loaded {
    const GilRelease unlocked;
    const auto bytes = read_model(path, sha256);
    if (!bytes.ok()) return bytes.error();
    return load_torch_scorer(bytes.value(), batch_size);
  }();
  if (!scorer.ok()) raise_model_error(scorer.error());
  return std::move(scorer).value();
}

// The caller's reference to `features` keeps its memory while the GIL is released.
Matrix score(const Predictor& scorer, const py::object& features) {
  const py::array array = checked_features(features, scorer.inputs());
  const auto rows = static_cast<std::size_t>(array.shape(0));
  const auto n = static_cast<py::ssize_t>(rows);
  const auto k = static_cast<py::ssize_t>(scorer.outputs());
  Matrix scores = k == 1 ? Matrix({n}) : Matrix({n, k});
  const std::span in(static_cast<const float*>(array.data()), rows * scorer.inputs());
  const std::span out(scores.mutable_data(), rows * scorer.outputs());
  const base::Error error = [&] {
    const GilRelease unlocked;
    return scorer.score(in, rows, out);
  }();
  if (!error.ok()) raise_model_error(error);
  return scores;
}

}  // namespace

void bind_scorer(py::module_& module) {  // NOLINT(misc-const-correctness)
  // The first use of NumPy's API releases the GIL in pybind11's own way.
  (void)py::dtype::of<float>();
  py::class_<Predictor>(module, "Scorer",
                        "A TorchScript module, frozen, that scores float32 matrices. Thread-safe.")
      .def(py::init(&load), py::arg("path"), py::arg("sha256"), py::arg("batch_size"))
      .def("score", &score, py::arg("features"),
           "Scores of shape (n,) or (n, outputs) for features of shape (n, inputs), read in place.")
      .def_property_readonly("inputs", &Predictor::inputs)
      .def_property_readonly("outputs", &Predictor::outputs);
}

}  // namespace vcache::predictor
