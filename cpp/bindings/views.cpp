#include "bindings/views.hpp"

#include <array>
#include <bit>
#include <utility>

#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

// Base object of a read-only array or memoryview: holds the entry that its memory lies in.
struct Pin {
  PyObject_HEAD l1::Entry* entry;
};

// Python takes a pointer to non-const and, where told that it is read-only, does not write to it.
char* data_of(const l1::Entry& entry) noexcept {
  return reinterpret_cast<char*>(const_cast<std::byte*>(entry.payload().data()));
}

int export_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  const l1::Entry& entry = *reinterpret_cast<Pin*>(self)->entry;
  return PyBuffer_FillInfo(buffer, self, data_of(entry),
                           static_cast<Py_ssize_t>(entry.payload_bytes), 1, flags);
}

void dealloc_pin(PyObject* self) {
  l1::EntryRef::drop(reinterpret_cast<Pin*>(self)->entry);
  PyObject_Free(self);
}

PyBufferProcs pin_buffer{.bf_getbuffer = export_buffer, .bf_releasebuffer = nullptr};

PyTypeObject pin_type = [] {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = "vcache._core.Pin";
  type.tp_basicsize = sizeof(Pin);
  type.tp_dealloc = dealloc_pin;
  type.tp_as_buffer = &pin_buffer;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_doc = "Keeps a cached value alive for the arrays and memoryviews of it.";
  return type;
}();

PyObject* make_pin(l1::EntryRef entry) noexcept {
  static const bool ready = PyType_Ready(&pin_type) == 0;
  Pin* pin = ready ? PyObject_New(Pin, &pin_type) : nullptr;
  if (pin != nullptr) pin->entry = entry.release();
  return reinterpret_cast<PyObject*>(pin);
}

PyArrayObject* make_view(l1::EntryRef entry) noexcept {
  const base::Shape shape = entry->shape();
  npy_intp dims[base::kMaxNdim];
  for (std::size_t i = 0; i < shape.ndim; ++i) dims[i] = static_cast<npy_intp>(shape.dims[i]);
  PyArray_Descr* descr = descr_of(entry->dtype);
  char* data = data_of(*entry);
  PyObject* pin = make_pin(std::move(entry));
  if (pin == nullptr) return nullptr;
  Py_INCREF(descr);
  PyObject* array = PyArray_NewFromDescr(&PyArray_Type, descr, shape.ndim, dims, nullptr, data,
                                         NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED, nullptr);
  if (array == nullptr) {
    Py_DECREF(pin);
    return nullptr;
  }
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array), pin) != 0) {
    Py_DECREF(array);
    return nullptr;
  }
  return reinterpret_cast<PyArrayObject*>(array);
}

// The arrays made last, one reference of each kept here. One that its receiver has dropped is
// nobody else's, so the next hit re-aims it at another entry: making and freeing an array costs
// more than the rest of a hit. So a weak reference to one may live a little longer than the last
// reference elsewhere; a kept array that has one is not re-aimed. Guarded by the GIL.
class RecentViews {
 public:
  // A kept array aimed at `entry`, with a reference for the caller; nullptr where none is free.
  PyObject* take(l1::EntryRef& entry) noexcept;
  // Keeps a new 1-d array, in place of the one kept longest.
  void keep(PyArrayObject* array) noexcept;
  void release_idle() noexcept;

 private:
  struct Kept {
    PyArrayObject_fields* array = nullptr;
    int flags = 0;       // as made
    int item_shift = 0;  // elements are of 1 << item_shift bytes
  };
  static constexpr std::size_t kKept = 4;

  static Pin* pin_of(const Kept& kept) noexcept { return reinterpret_cast<Pin*>(kept.array->base); }
  // False where somebody gave the array another base, or refers to its pin.
  static bool has_own_pin(const Kept& kept) noexcept {
    PyObject* base = kept.array->base;
    return base != nullptr && Py_TYPE(base) == &pin_type && Py_REFCNT(base) == 1;
  }
  static bool idle(const Kept& kept) noexcept {
    return kept.array != nullptr && Py_REFCNT(kept.array) == 1 && has_own_pin(kept);
  }
  // True when no receiver changed the form of the array, exported it or refers to it weakly.
  static bool pristine(const Kept& kept) noexcept {
    const PyArrayObject_fields& array = *kept.array;
    return array.nd == 1 && array.flags == kept.flags && array.weakreflist == nullptr &&
           array._buffer_info == nullptr && array.strides[0] == PyDataType_ELSIZE(array.descr);
  }
  void aim(const Kept& kept, l1::EntryRef& entry) noexcept;

  std::array<Kept, kKept> kept_{};
  std::size_t last_ = 0;
};

PyObject* RecentViews::take(l1::EntryRef& entry) noexcept {
  const PyArray_Descr* descr = descr_of(entry->dtype);
  for (std::size_t tries = 0; tries < kKept; ++tries, last_ = (last_ + 1) % kKept) {
    const Kept& kept = kept_[last_];
    if (!idle(kept) || kept.array->descr != descr || !pristine(kept)) continue;
    aim(kept, entry);
    return Py_NewRef(reinterpret_cast<PyObject*>(kept.array));
  }
  return nullptr;
}

void RecentViews::aim(const Kept& kept, l1::EntryRef& entry) noexcept {
  kept.array->data = data_of(*entry);
  kept.array->dimensions[0] = static_cast<npy_intp>(entry->payload_bytes >> kept.item_shift);
  Pin* pin = pin_of(kept);
  const l1::EntryRef before(std::exchange(pin->entry, entry.release()));
}

void RecentViews::keep(PyArrayObject* array) noexcept {
  last_ = (last_ + 1) % kKept;
  Py_INCREF(reinterpret_cast<PyObject*>(array));
  const Kept fresh{.array = reinterpret_cast<PyArrayObject_fields*>(array),
                   .flags = PyArray_FLAGS(array),
                   .item_shift = std::countr_zero(static_cast<unsigned>(PyArray_ITEMSIZE(array)))};
  const Kept before = std::exchange(kept_[last_], fresh);
  Py_XDECREF(reinterpret_cast<PyObject*>(before.array));  // may run anything
}

void RecentViews::release_idle() noexcept {
  for (Kept& kept : kept_) {
    if (idle(kept)) Py_DECREF(reinterpret_cast<PyObject*>(std::exchange(kept, Kept{}).array));
  }
}

RecentViews recent;

// What an idle array may go on pinning.
constexpr std::size_t kMostIdleBytes = std::size_t{16} << 10;

}  // namespace

PyObject* view_of(l1::EntryRef entry) noexcept {
  const bool small = entry->ndim == 1 && entry->payload_bytes <= kMostIdleBytes;
  if (small) {
    if (PyObject* array = recent.take(entry)) return array;
  }
  PyArrayObject* array = make_view(std::move(entry));
  if (array != nullptr && small) recent.keep(array);
  return reinterpret_cast<PyObject*>(array);
}

PyObject* memory_of(l1::EntryRef entry) noexcept {
  const PyOwned pin(make_pin(std::move(entry)));
  return pin ? PyMemoryView_FromObject(pin.get()) : nullptr;
}

void release_idle_views() noexcept { recent.release_idle(); }

}  // namespace vcache::bindings
