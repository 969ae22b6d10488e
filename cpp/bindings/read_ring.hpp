#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings/python.hpp"

namespace vcache::bindings {

// The keys that were read last, as their readers gave them, for who learns from their order.
// Guarded by the GIL. Nothing is noted until somebody watches.
class ReadRing {
 public:
  static constexpr std::size_t kMost = 4096;
  static constexpr std::size_t kOfBatch = 64;  // keys of one call that are noted, the first ones

  ReadRing() = default;
  ~ReadRing() { watch(false); }
  ReadRing(const ReadRing&) = delete;
  ReadRing& operator=(const ReadRing&) = delete;

  void note(PyObject* key) noexcept {
    if (!keys_.empty()) [[unlikely]]
      add(key);
  }
  void note(std::span<PyObject* const> keys) noexcept {
    if (keys_.empty()) [[likely]]
      return;
    for (PyObject* key : keys.first(std::min(keys.size(), kOfBatch))) add(key);
  }
  // The key that has that UTF-8, of a reader who gave another object.
  void note(std::string_view key) noexcept {
    if (keys_.empty()) [[likely]]
      return;
    PyObject* text = PyUnicode_DecodeUTF8(key.data(), static_cast<Py_ssize_t>(key.size()), nullptr);
    if (text == nullptr) return PyErr_Clear();
    add(text);
    Py_DECREF(text);
  }
  // Begins to note, or ends it and forgets. Throws std::bad_alloc.
  void watch(bool on) {
    if (on && keys_.empty()) keys_.resize(kMost);
    if (on) return;
    for (PyObject* key : std::exchange(keys_, {})) Py_XDECREF(key);
    count_ = 0;
  }
  // What was noted since the last time, the oldest first.
  [[nodiscard]] py::list take() {
    const std::size_t size = std::min(count_, kMost);
    py::list taken(size);
    for (std::size_t i = count_ - size; i < count_; ++i) {
      taken[i - (count_ - size)] = py::reinterpret_borrow<py::object>(keys_[i % kMost]);
    }
    count_ = 0;
    return taken;
  }

 private:
  // What runs when a key of another class ends is unknown.
  void add(PyObject* key) noexcept {
    if (!PyUnicode_CheckExact(key) && !PyBytes_CheckExact(key)) return;
    PyObject*& place = keys_[count_++ % kMost];
    PyObject* const older = std::exchange(place, Py_NewRef(key));
    Py_XDECREF(older);
  }

  std::vector<PyObject*> keys_;  // a reference each, or null
  std::size_t count_ = 0;        // since they were taken
};

}  // namespace vcache::bindings
