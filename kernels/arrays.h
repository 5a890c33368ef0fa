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
/* aligned, native byte order */
static inline int numpool_is_readable(PyObject *a) { return PyArray_ISBEHAVED_RO((PyArrayObject *)a); }

#define NUMPOOL_NDIM 64 /* of NumPy 2, the most */

/* How a result lies. */
typedef struct {
    PyObject *dtype; /* borrowed */
    int ndim;
    Py_ssize_t dims[NUMPOOL_NDIM], strides[NUMPOOL_NDIM];
} numpool_layout;

/* A new array that lies so, not filled; NULL: an exception is set. */
static inline PyObject *numpool_new(const numpool_layout *layout)
{
    Py_INCREF(layout->dtype);
    return PyArray_NewFromDescr(&PyArray_Type, (PyArray_Descr *)layout->dtype, layout->ndim, layout->dims, layout->strides,
                                NULL, 0, NULL);
}

/* Whether an object is a writeable array that lies so; a step along an axis of one element is never made. */
static inline int numpool_lies(PyObject *object, const numpool_layout *layout)
{
    PyArrayObject *a = (PyArrayObject *)object;
    if (!PyArray_CheckExact(object) || (PyObject *)PyArray_DESCR(a) != layout->dtype || PyArray_NDIM(a) != layout->ndim
        || !PyArray_ISBEHAVED(a))
        return 0;
    for (int i = 0; i < layout->ndim; i++)
        if (PyArray_DIM(a, i) != layout->dims[i] || (layout->dims[i] > 1 && PyArray_STRIDE(a, i) != layout->strides[i]))
            return 0;
    return 1;
}
#endif
