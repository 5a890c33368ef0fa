/* One instruction-set level: every template for every dtype, and the tables of what they make. The including file defines
 * LEVEL, VECTOR_BYTES and the lanes of each element size. NUMPOOL_ONLY, where it is defined, is one of the three pieces that
 * setup.py compiles side by side. */
#define NUMPOOL_ALL 0
#define NUMPOOL_EXTREMA 1
#define NUMPOOL_AVERAGES 2
#define NUMPOOL_INDICES 3
#ifndef NUMPOOL_ONLY
#define NUMPOOL_ONLY NUMPOOL_ALL
#endif
#include "lanes.h"
#include "halves.h"
#include "native.h"
#include "ratio.h"

/* A bool is a byte, 0 or 1: no code of its own, but for a minimum, where an empty window gives 1. */
#define max_bool_block max_uint8_block
#define average_bool_block average_uint8_block
#define shortaverage_bool_block NULL
#define wideaverage_bool_block wideaverage_uint8_block

#if NUMPOOL_ONLY == NUMPOOL_ALL || NUMPOOL_ONLY == NUMPOOL_EXTREMA
#define OPERATION min
#define MINIMUM 1
#define TEMPLATE "extremum.h"
#include "dtypes.h"
#undef OPERATION
#undef MINIMUM

#define BOOL_AS_UINT8
#define OPERATION max
#define MINIMUM 0
#define TEMPLATE "extremum.h"
#include "dtypes.h"
#undef OPERATION
#undef MINIMUM
#undef BOOL_AS_UINT8

const numpool_extremum_kernels NUMPOOL_CAT(numpool_extremum_kernels_, LEVEL)[] = {
#define TEMPLATE "entry.h"
#define ENTRY_OF NUMPOOL_EXTREMA
#include "dtypes.h"
#undef ENTRY_OF
    {0}};
#endif

#if NUMPOOL_ONLY != NUMPOOL_EXTREMA
#define BACKWARD_ACC_2 4
#define BACKWARD_ACC_4 4
#define BACKWARD_ACC_8 8
#define BACKWARD_TYPE_2 float
#define BACKWARD_TYPE_4 float
#define BACKWARD_TYPE_8 double

#endif

#if NUMPOOL_ONLY == NUMPOOL_ALL || NUMPOOL_ONLY == NUMPOOL_AVERAGES
#define BOOL_AS_UINT8
#include "divides.h"

#define OPERATION shortaverage
#define SHORT 1
#define WIDE 0
#define TEMPLATE "average.h"
#include "dtypes.h"
#undef OPERATION
#undef SHORT
#undef WIDE

#define OPERATION average
#define SHORT 0
#define WIDE 0
#define TEMPLATE "average.h"
#include "dtypes.h"
#undef OPERATION
#undef WIDE

#define OPERATION wideaverage
#define WIDE 1
#define TEMPLATE "average.h"
#include "dtypes.h"
#undef OPERATION
#undef SHORT
#undef WIDE
#undef BOOL_AS_UINT8

#define FLOATS_ONLY
#define OPERATION averagebackward
#define TEMPLATE "average_backward.h"
#include "dtypes.h"
#undef OPERATION
#undef FLOATS_ONLY

#define DTYPE bits8
#define ELEM_SIZE 1
#include "planes.h"
#define DTYPE bits16
#define ELEM_SIZE 2
#include "planes.h"
#define DTYPE bits32
#define ELEM_SIZE 4
#include "planes.h"
#define DTYPE bits64
#define ELEM_SIZE 8
#include "planes.h"
#include "move.h"

const numpool_movers NUMPOOL_CAT(numpool_movers_, LEVEL) = {
    .vector_bytes = VECTOR_BYTES,
    .in = {[1] = planes_bits8_in, [2] = planes_bits16_in, [4] = planes_bits32_in, [8] = planes_bits64_in},
    .out = {[1] = planes_bits8_out, [2] = planes_bits16_out, [4] = planes_bits32_out, [8] = planes_bits64_out},
    .by_index = numpool_move_part};

const numpool_average_kernels NUMPOOL_CAT(numpool_average_kernels_, LEVEL)[] = {
#define TEMPLATE "entry.h"
#define ENTRY_OF NUMPOOL_AVERAGES
#include "dtypes.h"
#undef ENTRY_OF
    {0}};
#endif

#if NUMPOOL_ONLY == NUMPOOL_ALL || NUMPOOL_ONLY == NUMPOOL_INDICES
#include "argcores.h"

#define OPERATION argmax
#define MINIMUM 0
#define TEMPLATE "argelements.h"
#include "dtypes.h"
#undef OPERATION
#undef MINIMUM

#define OPERATION argmin
#define MINIMUM 1
#define TEMPLATE "argelements.h"
#include "dtypes.h"
#undef OPERATION
#undef MINIMUM

#define FLOATS_ONLY
#define OPERATION extremumbackward
#define TEMPLATE "extremum_backward.h"
#include "dtypes.h"
#undef OPERATION
#undef FLOATS_ONLY

const numpool_index_kernels NUMPOOL_CAT(numpool_index_kernels_, LEVEL)[] = {
#define TEMPLATE "entry.h"
#define ENTRY_OF NUMPOOL_INDICES
#include "dtypes.h"
#undef ENTRY_OF
    {0}};
#endif
