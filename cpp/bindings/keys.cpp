#include "bindings/keys.hpp"

namespace vcache::bindings {

namespace {

std::string_view utf8_of(PyObject* key) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(key, &size);
  if (data == nullptr) {
    PyErr_Clear();
    raise("ValueError", "key=" + shown(key) + ": allowed is text that UTF-8 can encode");
  }
  return {data, static_cast<std::size_t>(size)};
}

// Keys whose memory is asked for before it is needed: strings made anew lie far apart.
constexpr std::size_t kAhead = 8;

// The lines that hold the header of a str and the first 80 or so of its characters.
void prefetch_text(const PyObject* key) noexcept {
  const auto* line = reinterpret_cast<const char*>(key);
  __builtin_prefetch(line);
  __builtin_prefetch(line + 64);
}

}  // namespace

std::string_view key_view_checked(PyObject* key) {
  std::string_view view;
  if (PyUnicode_Check(key)) {
    view = utf8_of(key);
  } else if (PyBytes_Check(key)) {
    view = {PyBytes_AS_STRING(key), static_cast<std::size_t>(PyBytes_GET_SIZE(key))};
  } else {
    raise("TypeError", "key=" + shown(key) + " of type " + Py_TYPE(key)->tp_name +
                           ": allowed are str and bytes");
  }
  if (view.empty() || view.size() > base::kMaxKeyBytes) {
    raise("ValueError", "key=" + shown(key) + " of " + std::to_string(view.size()) +
                            " bytes: allowed are 1 to 1024 bytes");
  }
  return view;
}

KeyBatch::KeyBatch(PyObject* keys) {
  if (PyUnicode_Check(keys) || PyBytes_Check(keys)) {
    raise("TypeError", "keys=" + shown(keys) + ": allowed is a sequence of str or bytes");
  }
  const PyOwned sequence(PySequence_Fast(keys, "keys must be iterable"));
  if (!sequence) throw PythonError();
  try {
    take(PySequence_Fast_ITEMS(sequence.get()),
         static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence.get())));
  } catch (...) {
    release();
    throw;
  }
}

void KeyBatch::take(PyObject* const* items, std::size_t count) {
  keys_.reserve(count);
  views_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) prefetch_text(items[i + kAhead]);
    keys_.push_back(Py_NewRef(items[i]));
    views_.push_back(key_view(items[i]));
  }
}

void KeyBatch::release() noexcept {
  for (PyObject* key : keys_) Py_DECREF(key);
}

}  // namespace vcache::bindings
