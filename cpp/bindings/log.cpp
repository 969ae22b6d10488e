#include "bindings/log.hpp"

#include "bindings/gil.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

namespace {

constexpr int kInfo = 20;  // of Python's logging
constexpr int kWarning = 30;

PyObject* find_logger(const char* name) noexcept {
  const PyOwned logging(PyImport_ImportModule("logging"));
  if (!logging) return nullptr;
  return PyObject_CallMethod(logging.get(), "getLogger", "s", name);
}

void log(PyObject* logger, int level, const std::string& text) noexcept {
  // A path may be anything.
  const PyOwned shown(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  const PyOwned done(call_python(
      [&] { return PyObject_CallMethod(logger, "log", "isO", level, "%s", shown.get()); }));
  if (!done) PyErr_WriteUnraisable(logger);
}

void log(PyObject* logger, const l2::Event& event) noexcept {
  log(logger, event.level == l2::Event::Level::kWarning ? kWarning : kInfo, event.text);
}

}  // namespace

void log_news(l2::L2& redis) noexcept {
  const PyOwned logger(call_python([] { return find_logger("vcache.redis"); }));
  if (!logger) return PyErr_Clear();  // the interpreter ends
  try {
    for (const l2::Event& event : redis.take_news()) log(logger.get(), event);
  } catch (const std::bad_alloc&) {
    return;  // what was taken is lost
  }
}

void log_notice(l1::AccessLog& accesses) noexcept {
  const PyOwned logger(call_python([] { return find_logger("vcache.access"); }));
  if (!logger) return PyErr_Clear();  // the interpreter ends
  try {
    if (const auto notice = accesses.take_notice()) log(logger.get(), kWarning, *notice);
  } catch (const std::bad_alloc&) {
    return;  // what was taken is lost
  }
}

}  // namespace vcache::bindings
