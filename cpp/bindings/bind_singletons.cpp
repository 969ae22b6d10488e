#include "bindings/python.hpp"

namespace vcache::bindings {

namespace {

PyObject* missing_repr(PyObject*) { return PyUnicode_FromString("<MISSING>"); }
PyObject* default_repr(PyObject*) { return PyUnicode_FromString("<DEFAULT>"); }
int never_true(PyObject*) { return 0; }
PyObject* reduce_missing(PyObject*, PyObject*) { return PyUnicode_FromString("MISSING"); }
PyObject* reduce_default(PyObject*, PyObject*) { return PyUnicode_FromString("DEFAULT"); }

// Pickles by its name in this module.
PyMethodDef missing_methods[] = {{"__reduce__", reduce_missing, METH_NOARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};
PyMethodDef default_methods[] = {{"__reduce__", reduce_default, METH_NOARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};
PyNumberMethods falsy = [] {
  PyNumberMethods methods{};
  methods.nb_bool = never_true;
  return methods;
}();

PyTypeObject singleton_type(const char* name, reprfunc repr, PyMethodDef* methods,
                            const char* doc) {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = name;
  type.tp_basicsize = sizeof(PyObject);
  type.tp_repr = repr;
  type.tp_as_number = &falsy;
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_methods = methods;
  type.tp_doc = doc;
  return type;
}

PyTypeObject missing_type = singleton_type("vcache._core.MissingType", missing_repr,
                                           missing_methods, "Type of MISSING: no value.");
PyTypeObject default_type = singleton_type("vcache._core.DefaultType", default_repr,
                                           default_methods, "Type of DEFAULT: the cache's own.");
PyObject* missing_object = nullptr;
PyObject* default_object = nullptr;

PyObject* make_only(PyTypeObject& type) {
  if (PyType_Ready(&type) != 0) throw py::error_already_set();
  return PyObject_New(PyObject, &type);
}

}  // namespace

PyObject* missing() noexcept { return missing_object; }
PyObject* use_default() noexcept { return default_object; }

void bind_singletons(py::module_& module) {
  missing_object = make_only(missing_type);
  default_object = make_only(default_type);
  module.attr("MissingType") = py::handle(reinterpret_cast<PyObject*>(&missing_type));
  module.attr("DefaultType") = py::handle(reinterpret_cast<PyObject*>(&default_type));
  module.attr("MISSING") = py::handle(missing_object);
  module.attr("DEFAULT") = py::handle(default_object);
}

}  // namespace vcache::bindings
