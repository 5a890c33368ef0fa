/* The list of dtypes: includes TEMPLATE once for each, with
 *   DTYPE  NumPy's name             ELEM, ELEM_SIZE  how it lies in memory
 *   KIND   KIND_FLOAT, KIND_HALF (16-bit floats, as bits), KIND_INT
 *   UNSIGNED  0 or 1
 *   OWN_OUT   the dtype as an average's result (bool averages as uint8, see level.h)
 *   LOWEST, HIGHEST  the value of an empty maximum and minimum
 *   INFINITY_BITS    (halves) the bits of +infinity */
#define KIND_FLOAT 1
#define KIND_HALF 2
#define KIND_INT 3

#define DTYPE float16
#define ELEM int16_t
#define ELEM_SIZE 2
#define KIND KIND_HALF
#define UNSIGNED 0
#define INFINITY_BITS FLOAT16_INFINITY
#define HALF_LOAD numpool_float16_load
#define HALF_STORE numpool_float16_store
#define OWN_OUT OUT_FLOAT16
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE bfloat16
#define ELEM int16_t
#define ELEM_SIZE 2
#define KIND KIND_HALF
#define UNSIGNED 0
#define INFINITY_BITS BFLOAT16_INFINITY
#define HALF_LOAD numpool_bfloat16_load
#define HALF_STORE numpool_bfloat16_store
#define OWN_OUT OUT_BFLOAT16
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE float32
#define ELEM float
#define ELEM_SIZE 4
#define KIND KIND_FLOAT
#define UNSIGNED 0
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define OWN_OUT OUT_FLOAT32
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE float64
#define ELEM double
#define ELEM_SIZE 8
#define KIND KIND_FLOAT
#define UNSIGNED 0
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define OWN_OUT OUT_FLOAT64
#include TEMPLATE
#include "undefine_dtype.h"

#ifndef FLOATS_ONLY
#ifndef BOOL_AS_UINT8
#define DTYPE bool
#define ELEM uint8_t
#define ELEM_SIZE 1
#define KIND KIND_INT
#define UNSIGNED 1
#define LOWEST 0
#define HIGHEST 1
#include TEMPLATE
#include "undefine_dtype.h"
#endif

#define DTYPE int8
#define ELEM int8_t
#define ELEM_SIZE 1
#define KIND KIND_INT
#define UNSIGNED 0
#define LOWEST INT8_MIN
#define HIGHEST INT8_MAX
#define OWN_OUT OUT_INT8
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE int16
#define ELEM int16_t
#define ELEM_SIZE 2
#define KIND KIND_INT
#define UNSIGNED 0
#define LOWEST INT16_MIN
#define HIGHEST INT16_MAX
#define OWN_OUT OUT_INT16
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE int32
#define ELEM int32_t
#define ELEM_SIZE 4
#define KIND KIND_INT
#define UNSIGNED 0
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define OWN_OUT OUT_INT32
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE int64
#define ELEM int64_t
#define ELEM_SIZE 8
#define KIND KIND_INT
#define UNSIGNED 0
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#define OWN_OUT OUT_INT64
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE uint8
#define ELEM uint8_t
#define ELEM_SIZE 1
#define KIND KIND_INT
#define UNSIGNED 1
#define LOWEST 0
#define HIGHEST UINT8_MAX
#define OWN_OUT OUT_UINT8
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE uint16
#define ELEM uint16_t
#define ELEM_SIZE 2
#define KIND KIND_INT
#define UNSIGNED 1
#define LOWEST 0
#define HIGHEST UINT16_MAX
#define OWN_OUT OUT_UINT16
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE uint32
#define ELEM uint32_t
#define ELEM_SIZE 4
#define KIND KIND_INT
#define UNSIGNED 1
#define LOWEST 0
#define HIGHEST UINT32_MAX
#define OWN_OUT OUT_UINT32
#include TEMPLATE
#include "undefine_dtype.h"

#define DTYPE uint64
#define ELEM uint64_t
#define ELEM_SIZE 8
#define KIND KIND_INT
#define UNSIGNED 1
#define LOWEST 0
#define HIGHEST UINT64_MAX
#define OWN_OUT OUT_UINT64
#include TEMPLATE
#include "undefine_dtype.h"
#endif
#undef TEMPLATE
