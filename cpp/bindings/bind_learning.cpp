#include "bindings/bind_learning.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "bindings/arguments.hpp"
#include "bindings/cache_calls.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/model.hpp"
#include "predictor/model_file.hpp"
#include "predictor/torch_library.hpp"
#include "predictor/watched.hpp"

namespace vcache::bindings {

namespace {

using l1::policy::Scored;
using predictor::Mlp;

constexpr std::size_t kScored = 128;  // rows of a scoring, at most
constexpr std::string_view kWeightsFile = "vcache-mlp-";
constexpr double kFewestOutcomes = 100;

base::Result<std::unique_ptr<predictor::Predictor>> load_scorer(const std::string& torch_library,
                                                                std::string_view archive) {
  const auto torch = predictor::load_torch(torch_library);
  if (!torch.ok()) return torch.error();
  return torch.value().load_scorer(archive, kScored);
}

// Of a file of weights, or of a TorchScript archive.
base::Result<Scored::Model> read_scorer(const std::string& path, const std::string& sha256,
                                        const std::string& torch_library) {
  const auto bytes = predictor::read_model(path, sha256);
  if (!bytes.ok()) return bytes.error();
  if (bytes.value().starts_with(kWeightsFile)) {
    auto mlp = Mlp::from_file(bytes.value());
    if (!mlp.ok()) return mlp.error();
    return Scored::Model(std::move(mlp).value());
  }
  if (torch_library.empty()) {
    return base::Error{.code = base::ErrorCode::kInvalid,
                       .detail = "a TorchScript archive needs torch, which is not installed"};
  }
  auto scorer = load_scorer(torch_library, bytes.value());
  if (!scorer.ok()) return scorer.error();
  if (base::Error error = predictor::check_on_probes(*scorer.value()); !error.ok()) return error;
  return Scored::Model(std::make_shared<const predictor::Watched>(std::move(scorer).value()));
}

l1::LearningOptions make_learning(const Model* model, const std::string& model_path,
                                  const std::string& model_sha256, const std::string& torch_library,
                                  double interval, bool minimizes_cost, std::string pinned) {
  l1::LearningOptions options{
      .objective = minimizes_cost ? l1::policy::Objective::kCost : l1::policy::Objective::kMisses,
      .pinned = std::move(pinned)};
  if (model != nullptr) options.model = options.tutor.start = model->mlp;
  if (!model_path.empty()) {
    auto read = [&] {
      const GilRelease released;
      return read_scorer(model_path, model_sha256, torch_library);
    }();
    raise_pending();
    if (!read.ok()) raise("ModelError", read.error().detail);
    options.model = std::move(read).value();
  }
  options.tutor.interval = ceil_millis(interval);
  if (torch_library.empty()) return options;
  options.tutor.make_trainer =
      [torch_library](
          predictor::StartWeights start) -> base::Result<std::unique_ptr<predictor::Trainer>> {
    const auto torch = predictor::load_torch(torch_library);
    if (!torch.ok()) return torch.error();
    return torch.value().make_trainer({}, start);
  };
  options.tutor.load_scorer = [torch_library](const std::string& archive) {
    return load_scorer(torch_library, archive);
  };
  return options;
}

py::object or_none(const std::optional<double>& value) {
  if (!value) return py::none();
  return py::float_(*value);
}

py::object predict(Core& core, const py::object& key) {
  const std::string_view name = key_view(key.ptr());
  const auto probability = [&] {
    const GilRelease released;
    return core.cache.memory().predict(name);
  }();
  raise_pending();
  return or_none(probability);
}

py::object explain(Core& core, const py::object& key) {
  using py::literals::operator""_a;
  const std::string_view name = key_view(key.ptr());
  const auto known = [&] {
    const GilRelease released;
    return core.cache.memory().judge(name);
  }();
  raise_pending();
  if (!known) return py::none();
  const predictor::Snapshot& snapshot = known->snapshot;
  py::dict probabilities;
  for (std::size_t i = 0; known->is_scored && i < predictor::kHorizons.size(); ++i) {
    probabilities[py::float_(predictor::kHorizons[i])] = known->heads[i];
  }
  return py::dict("held"_a = known->is_held, "leader"_a = std::string(known->leader),
                  "accesses"_a = snapshot.past.accesses,
                  "age"_a = snapshot.now - snapshot.past.last, "hits"_a = snapshot.residence.hits,
                  "resident"_a = snapshot.now - snapshot.residence.since,
                  "mean_residence"_a = known->mean_residence, "probabilities"_a = probabilities);
}

// What became of a fit that was asked for; "pending" where nobody waits.
std::string retrain(Core& core, double wait) {
  l1::learning::Tutor* const tutor = core.cache.memory().tutor();
  if (tutor == nullptr) return "policy is not learned";
  if (!tutor->teaches()) return "torch is not installed, or memory is below 1MiB";
  if (tutor->is_stopped()) return "the cache is closed";
  const l1::learning::TutorRecord before = tutor->record();
  bool is_over = false;
  {
    const GilRelease released;
    const std::uint64_t fit = tutor->retrain();
    const auto deadline = std::chrono::steady_clock::now() + ceil_millis(wait);
    if (wait > 0) is_over = tutor->wait_for(fit, deadline);
  }
  raise_pending();
  if (!is_over) return "pending";
  const l1::learning::TutorRecord after = tutor->record();
  if (!after.problem.ok()) return after.problem.detail;
  return after.fits.published > before.fits.published ? "published" : "refused";
}

// Version, bytes of a weights file, loss; None as long as the model in use is none that was fitted
// by this cache.
py::object fitted_model(Core& core) {
  l1::learning::Tutor* const tutor = core.cache.memory().tutor();
  if (tutor == nullptr) return py::none();
  const l1::learning::Tutor::Newest newest = tutor->newest();
  if (newest.twin == nullptr || newest.is_adopted) return py::none();
  return py::make_tuple(newest.version, py::bytes(newest.twin->file()), newest.loss);
}

bool adopt_model(Core& core, const Model& model) {
  l1::learning::Tutor* const tutor = core.cache.memory().tutor();
  if (tutor == nullptr) return false;
  const GilRelease released;
  return tutor->adopt(model.mlp);
}

bool roll_back(Core& core) {
  l1::learning::Tutor* const tutor = core.cache.memory().tutor();
  return tutor != nullptr && tutor->roll_back();
}

bool pin(Core& core, const std::string& expert) {
  const GilRelease released;
  return core.cache.memory().pin(expert);
}

}  // namespace

py::object learning_of(Core& core) {
  using py::literals::operator""_a;
  const auto stats = [&] {
    const GilRelease released;
    return core.cache.memory().learning();
  }();
  if (!stats) return py::none();
  py::dict experts;
  for (const l1::policy::ExpertRecord& expert : stats->experts) {
    if (expert.name.empty()) continue;
    experts[py::str(std::string(expert.name))] =
        py::dict("misses"_a = expert.misses, "recent"_a = expert.recent);
  }
  const l1::learning::TutorRecord& tutor = stats->tutor;
  const predictor::Reliability& hour = stats->reliability;
  const bool is_judged = hour.weight() >= kFewestOutcomes;
  const std::chrono::duration<double> age = core.clock_in_use().steady() - tutor.published;
  return py::dict(
      "leader"_a = stats->leader, "led_shards"_a = stats->led_shards, "experts"_a = experts,
      "switches"_a = stats->switches, "failures"_a = stats->failures,
      "has_model"_a = stats->has_model, "version"_a = tutor.version, "fits"_a = tutor.fits.fits,
      "published"_a = tutor.fits.published, "refused"_a = tutor.fits.refused,
      "failed"_a = tutor.fits.failed, "loss"_a = tutor.fits.loss,
      "accuracy"_a = tutor.fits.accuracy,
      "calibration"_a =
          is_judged ? py::object(py::float_(hour.calibration_error())) : py::object(py::none()),
      "brier"_a = is_judged ? py::object(py::float_(hour.brier())) : py::object(py::none()),
      "age"_a = tutor.version == 0 ? py::object(py::none()) : py::object(py::float_(age.count())),
      "problem"_a = tutor.problem.detail);
}

void bind_learning(py::module_& module) {
  py::class_<l1::LearningOptions>(module, "Learning", "How the policy \"learned\" learns.")
      .def(py::init(&make_learning), py::kw_only(), py::arg("model") = py::none(),
           py::arg("model_path") = "", py::arg("model_sha256") = "", py::arg("torch_library") = "",
           py::arg("interval") = 0.0, py::arg("minimizes_cost") = false, py::arg("pinned") = "");
}

void bind_learning_calls(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache.def("learning", &learning_of)
      .def("predict", &predict, py::arg("key"))
      .def("explain", &explain, py::arg("key"))
      .def("retrain", &retrain, py::arg("wait"))
      .def("roll_back_model", &roll_back)
      .def("fitted_model", &fitted_model)
      .def("adopt_model", &adopt_model, py::arg("model"))
      .def("pin_expert", &pin, py::arg("expert"));
}

}  // namespace vcache::bindings
