#include "bindings/log.hpp"

#include "bindings/gil.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

namespace {

constexpr int kInfo = 20;  // of Python's logging
constexpr int kWarning = 30;

PyObject* find_logger() noexcept {
  const PyOwned logging(PyImport_ImportModule("logging"));
  if (!logging) return nullptr;
  return PyObject_CallMethod(logging.get(), "getLogger", "s", "vcache.redis");
}

void log(PyObject* logger, const l2::Event& event) noexcept {
  const int level = event.level == l2::Event::Level::kWarning ? kWarning : kInfo;
  const PyOwned done(call_python(
      [&] { return PyObject_CallMethod(logger, "log", "iss", level, "%s", event.text.c_str()); }));
  if (!done) PyErr_WriteUnraisable(logger);
}

}  // namespace

void log_news(l2::L2& redis) noexcept {
  const PyOwned logger(call_python(find_logger));
  if (!logger) return PyErr_Clear();  // the interpreter ends
  try {
    for (const l2::Event& event : redis.take_news()) log(logger.get(), event);
  } catch (const std::bad_alloc&) {
    return;  // what was taken is lost
  }
}

}  // namespace vcache::bindings
