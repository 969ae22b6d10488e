#include "bindings/codec.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

// Base object of a read-only array: holds the entry that the array's memory lies in.
struct Pin {
  PyObject_HEAD l1::Entry* entry;
};

constexpr int kMaxSpare = 256;
Pin* spare[kMaxSpare];  // guarded by the GIL
int spare_count = 0;

void dealloc_pin(PyObject* self) {
  auto* pin = reinterpret_cast<Pin*>(self);
  l1::EntryRef::drop(pin->entry);
  if (spare_count < kMaxSpare) {
    spare[spare_count++] = pin;
  } else {
    PyObject_Free(pin);
  }
}

PyTypeObject pin_type = [] {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = "vcache._core.Pin";
  type.tp_basicsize = sizeof(Pin);
  type.tp_dealloc = dealloc_pin;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_doc = "Keeps a cached value alive for the arrays that view it.";
  return type;
}();

PyObject* make_pin(l1::Entry* entry) noexcept {
  Pin* pin = nullptr;
  if (spare_count > 0) {
    pin = spare[--spare_count];
    PyObject_Init(reinterpret_cast<PyObject*>(pin), &pin_type);
  } else {
    static const bool ready = PyType_Ready(&pin_type) == 0;
    pin = ready ? PyObject_New(Pin, &pin_type) : nullptr;
  }
  if (pin == nullptr) {
    l1::EntryRef::drop(entry);
    return nullptr;
  }
  pin->entry = entry;
  return reinterpret_cast<PyObject*>(pin);
}

PyObject* view_of(l1::EntryRef entry) noexcept {
  const base::Shape shape = entry->shape();
  npy_intp dims[base::kMaxNdim];
  for (std::size_t i = 0; i < shape.ndim; ++i) dims[i] = static_cast<npy_intp>(shape.dims[i]);
  PyArray_Descr* descr = descr_of(entry->dtype);
  // NumPy takes a pointer to non-const and, without NPY_ARRAY_WRITEABLE, does not write to it.
  auto* data = const_cast<std::byte*>(entry->payload().data());
  PyObject* pin = make_pin(entry.release());
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
  return array;
}

}  // namespace

PyObject* to_python(l1::EntryRef entry) noexcept {
  if (entry->kind == base::ValueKind::kVector) return view_of(std::move(entry));
  return decode_object(entry->payload());
}

}  // namespace vcache::bindings
