#include <algorithm>
#include <chrono>
#include <optional>

#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/keys.hpp"
#include "bindings/loading_calls.hpp"
#include "l2/leases.hpp"

namespace vcache::bindings {

namespace {

// Signals are seen to this often while a thread waits.
constexpr base::Millis kSlice{50};

std::string_view text_of(const py::bytes& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

// A wait for leases, with the keys and the cache that it needs.
class Wait {
 public:
  Wait(std::shared_ptr<Core> core, const py::object& keys)
      : core_(std::move(core)),
        keys_(keys.ptr()),
        wait_(core_->cache.redis().leases().watch(keys_.views())) {}

  [[nodiscard]] bool due() { return wait_->due(); }
  // Throws PythonError where a signal handler raised.
  [[nodiscard]] bool changed(double most) {
    const auto end = std::chrono::steady_clock::now() + ceil_millis(most);
    for (;;) {
      const auto left = std::chrono::ceil<base::Millis>(end - std::chrono::steady_clock::now());
      const bool is_over = step(std::clamp(left, base::Millis{0}, kSlice));
      raise_pending();
      if (is_over) return true;
      if (PyErr_CheckSignals() != 0) throw PythonError();
      if (std::chrono::steady_clock::now() >= end) return false;
    }
  }

 private:
  [[nodiscard]] bool step(base::Millis most) {
    const GilRelease released;
    return wait_->changed(most);
  }

  const std::shared_ptr<Core> core_;
  const KeyBatch keys_;
  const std::unique_ptr<l2::LeaseWait> wait_;
};

py::list take_leases(Core& core, const py::object& keys, const py::bytes& token, double seconds,
                     bool unless_stored) {
  const KeyBatch batch(keys.ptr());
  std::vector<l2::Grant> grants(batch.size(), l2::Grant::kUnknown);
  const l2::LeaseTerms terms{
      .token = text_of(token), .length = ceil_millis(seconds), .unless_stored = unless_stored};
  {
    const GilRelease released;
    core.cache.redis().leases().take(batch.views(), terms, grants);
  }
  raise_pending();
  py::list out(batch.size());
  for (std::size_t i = 0; i < grants.size(); ++i) out[i] = py::int_(static_cast<int>(grants[i]));
  return out;
}

void give_up_leases(Core& core, const py::object& keys, const py::bytes& token) {
  const KeyBatch batch(keys.ptr());
  {
    const GilRelease released;
    core.cache.redis().leases().give_up(batch.views(), text_of(token));
  }
  raise_pending();
}

}  // namespace

void bind_leases(py::class_<Core, std::shared_ptr<Core>>& cache) {
  py::class_<Wait>(cache, "LeaseWait", "A wait for leases that others hold.")
      .def("changed", &Wait::changed, py::arg("seconds"),
           "True when a lease or its key may have changed; False after `seconds`.")
      .def("due", &Wait::due, "False when changed(0) would only return False.");
  cache
      .def("take_leases", &take_leases, py::arg("keys"), py::arg("token"), py::arg("seconds"),
           py::arg("unless_stored"))
      .def("give_up_leases", &give_up_leases, py::arg("keys"), py::arg("token"))
      .def(
          "watch_leases",
          [](std::shared_ptr<Core> core, const py::object& keys) {
            return std::make_unique<Wait>(std::move(core), keys);
          },
          py::arg("keys"));
}

}  // namespace vcache::bindings
