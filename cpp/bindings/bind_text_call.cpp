#include <span>

#include "bindings/arguments.hpp"
#include "bindings/key_writer.hpp"
#include "bindings/memory_hit.hpp"

namespace vcache::bindings {

namespace {

// What a decorated function becomes whose calls are quickly keyed: those of one str, or, where it
// has `tails`, those of vectors, texts and numbers. One whose result is in memory is answered here;
// every other call goes to `general`, a Python function that does all there is to do.
struct TextCall {
  PyObject_HEAD vectorcallfunc call;
  PyObject* dict;
  PyObject* weak_references;
  PyObject* core_object;  // keeps `core` alive
  PyObject* general;
  PyObject* head;  // str: what comes before the arguments in a key
  PyObject*
      tails;      // dict, by the number of arguments: what the others come to in a key; or nullptr
  int precision;  // with `tails`: decimals of the numbers of vectors
  Core* core;
  CallCount count;
  long long hits;
};

TextCall* as_call(PyObject* self) noexcept { return reinterpret_cast<TextCall*>(self); }

// Takes the head of the keys of later calls. Throws PythonError: TypeError, ValueError.
void set_head(TextCall* self, PyObject* head) {
  if (!PyUnicode_Check(head)) raise("TypeError", "head=" + shown(head) + ": allowed is a str");
  if (!utf8_of(head)) {
    raise("ValueError", "head=" + shown(head) + ": allowed is text that UTF-8 can encode");
  }
  Py_XSETREF(self->head, Py_NewRef(head));
}

using Arguments = std::span<PyObject* const>;

// Whether the key of a call is `key`: of one str, the head and that.
bool write_text(const TextCall* self, Arguments args, KeyWriter& key) noexcept {
  if (args.size() != 1 || !PyUnicode_CheckExact(args[0])) return false;
  const auto head = utf8_of(self->head);
  const auto tail = utf8_of(args[0]);
  return head && tail && key.text(*head) && key.text(*tail) && !key.key().empty();
}

// The same of other arguments. Throws PythonError.
bool write_parts(const TextCall* self, Arguments args, KeyWriter& key) {
  if (args.empty()) return false;
  const py::object count = taken(PyLong_FromSize_t(args.size()));
  PyObject* tail = PyDict_GetItemWithError(self->tails, count.ptr());
  const auto head = utf8_of(self->head);
  const auto rest = tail == nullptr ? std::nullopt : utf8_of(tail);
  if (!head || !rest || !key.text(*head)) return false;
  const std::size_t parts = rest->empty() ? args.size() - 1 : args.size();
  for (std::size_t i = 0; i < parts; ++i) {
    if (!key.part(args[i])) return false;
  }
  return rest->empty() ? key.last(args.back()) : key.text(*rest);
}

// As find(). Who missed asks again.
PyObject* find_by(TextCall* self, const KeyWriter& key) {
  PyObject* value = hit_in_memory(*self->core, key.key(), self->count, cache::Stale::kNever);
  if (value != nullptr) self->core->reads.note(key.key());
  return value;
}

// nullptr: not in memory, or no key; or, with an exception set, not to be decoded.
PyObject* find(TextCall* self, Arguments args) {
  if (self->tails == nullptr) {
    KeyWriter key(std::nullopt);
    return write_text(self, args, key) ? find_by(self, key) : nullptr;
  }
  KeyWriter key(self->precision);
  return write_parts(self, args, key) ? find_by(self, key) : nullptr;
}

PyObject* find_or_raise(TextCall* self, Arguments args) noexcept {
  try {
    return find(self, args);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const PythonError&) {
    return nullptr;
  }
}

PyObject* call(PyObject* object, PyObject* const* args, std::size_t flagged, PyObject* names) {
  TextCall* self = as_call(object);
  if (names == nullptr) {
    const auto count = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
    PyObject* found = find_or_raise(self, {args, count});
    if (found != nullptr) {
      ++self->hits;
      return found;
    }
    if (PyErr_Occurred() != nullptr) return nullptr;
  }
  return PyObject_Vectorcall(self->general, args, flagged, names);
}

int init(PyObject* object, PyObject* args, PyObject*) {
  TextCall* self = as_call(object);
  PyObject* core = nullptr;
  PyObject* general = nullptr;
  PyObject* head = nullptr;
  PyObject* tails = nullptr;
  int precision = 0;
  if (PyArg_ParseTuple(args, "OOO|O!i", &core, &general, &head, &PyDict_Type, &tails, &precision) ==
      0) {
    return -1;
  }
  if (self->core != nullptr) {  // a call of it may be under way
    set_error("RuntimeError", "TextCall.__init__ was called already");
    return -1;
  }
  try {
    set_head(self, head);
    self->core = core_argument(core);
  } catch (const PythonError&) {
    return -1;
  }
  self->core_object = Py_NewRef(core);
  Py_XSETREF(self->general, Py_NewRef(general));
  Py_XSETREF(self->tails, Py_XNewRef(tails));
  self->precision = precision;
  self->call = call;
  return 0;
}

PyObject* restart(PyObject* object, PyObject* head) {
  try {
    set_head(as_call(object), head);
  } catch (const PythonError&) {
    return nullptr;
  }
  as_call(object)->hits = 0;
  Py_RETURN_NONE;
}

// By its name, as functions do.
PyObject* reduce(PyObject* object, PyObject*) {
  return PyObject_GetAttrString(object, "__qualname__");
}

PyObject* bind(PyObject* object, PyObject* instance, PyObject*) {
  if (instance == nullptr || instance == Py_None) return Py_NewRef(object);
  return PyMethod_New(object, instance);
}

PyObject* hits(PyObject* object, PyObject*) { return PyLong_FromLongLong(as_call(object)->hits); }

int traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(as_call(object)->dict);
  Py_VISIT(as_call(object)->general);
  return 0;
}

int clear(PyObject* object) {
  Py_CLEAR(as_call(object)->dict);
  Py_CLEAR(as_call(object)->general);
  return 0;
}

void dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  if (as_call(object)->weak_references != nullptr) PyObject_ClearWeakRefs(object);
  clear(object);
  Py_CLEAR(as_call(object)->core_object);
  Py_CLEAR(as_call(object)->head);
  Py_CLEAR(as_call(object)->tails);
  Py_TYPE(object)->tp_free(object);
}

PyMethodDef methods[] = {
    {"hits", hits, METH_NOARGS, "hits($self, /)\n--\n\nCalls answered without `general`."},
    {"restart", restart, METH_O,
     "restart($self, head, /)\n--\n\nTakes another head and counts hits from 0."},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyTypeObject call_type = [] {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = "vcache._core.TextCall";
  type.tp_basicsize = sizeof(TextCall);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
  type.tp_dictoffset = offsetof(TextCall, dict);
  type.tp_weaklistoffset = offsetof(TextCall, weak_references);
  type.tp_vectorcall_offset = offsetof(TextCall, call);
  type.tp_call = PyVectorcall_Call;
  type.tp_methods = methods;
  type.tp_getset = attributes;
  type.tp_descr_get = bind;
  type.tp_init = init;
  type.tp_new = PyType_GenericNew;
  type.tp_alloc = PyType_GenericAlloc;
  type.tp_free = PyObject_GC_Del;
  type.tp_traverse = traverse;
  type.tp_clear = clear;
  type.tp_dealloc = dealloc;
  type.tp_doc =
      "TextCall(core, general, head, tails=..., precision=...)\n--\n\n"
      "A function whose results for a str are cached; with `tails` those for vectors and others.";
  return type;
}();

}  // namespace

void bind_text_call(py::module_& module) {
  if (PyType_Ready(&call_type) != 0) throw py::error_already_set();
  module.attr("TextCall") = py::handle(reinterpret_cast<PyObject*>(&call_type));
}

}  // namespace vcache::bindings
