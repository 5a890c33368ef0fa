/* The few questions that the Cython room asks of a NumPy array, as functions of any Python object. */
#ifndef NUMPOOL_ARRAYS_H
#define NUMPOOL_ARRAYS_H
#include <Python.h>
#include <numpy/arrayobject.h>

static inline int numpool_import(void) { return _import_array(); }
static inline int numpool_is_array(PyObject *a) { return PyArray_CheckExact(a); }
static inline void *numpool_data(PyObject *a) { return PyArray_DATA((PyArrayObject *)a); }
static inline int numpool_ndim(PyObject *a) { return PyArray_NDIM((PyArrayObject *)a); }
static inline Py_ssize_t *numpool_dims(PyObject *a) { return PyArray_DIMS((PyArrayObject *)a); }
static inline Py_ssize_t *numpool_strides(PyObject *a) { return PyArray_STRIDES((PyArrayObject *)a); }
static inline int numpool_type(PyObject *a) { return PyArray_TYPE((PyArrayObject *)a); }
static inline Py_ssize_t numpool_itemsize(PyObject *a) { return PyArray_ITEMSIZE((PyArrayObject *)a); }
/* aligned, native byte order; and C-contiguous and writeable as well */
static inline int numpool_is_readable(PyObject *a) { return PyArray_ISBEHAVED_RO((PyArrayObject *)a); }
static inline int numpool_is_plain(PyObject *a) { return PyArray_ISCARRAY((PyArrayObject *)a); }
#endif
