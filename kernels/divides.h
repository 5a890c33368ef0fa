/* The types that averages sum in (average.h), and their divisions. */

#define DTYPE int32
#define ACC int32_t
#define SUM_SIZE 4
#define PARTS 1
#define SUMS_ARE_INTEGERS 1
#include "divide.h"

#define DTYPE int64fitting
#define ACC int64_t
#define SUM_SIZE 8
#define PARTS 1
#define SUMS_ARE_INTEGERS 1
#include "divide.h"

#define DTYPE int64
#define FITTING int64fitting
#define ACC int64_t
#define SUM_SIZE 8
#define PARTS 1
#define SUMS_ARE_INTEGERS 1
#include "divide.h"

#define DTYPE int64pairsfitting
#define ACC int64_t
#define SUM_SIZE 8
#define PARTS 2
#define SUMS_ARE_INTEGERS 1
#include "divide.h"

#define DTYPE int64pairs
#define FITTING int64pairsfitting
#define ACC int64_t
#define SUM_SIZE 8
#define PARTS 2
#define SUMS_ARE_INTEGERS 1
#include "divide.h"

#define DTYPE float32
#define ACC float
#define SUM_SIZE 4
#define PARTS 1
#define SUMS_ARE_INTEGERS 0
#include "divide.h"

#define DTYPE float64
#define ACC double
#define SUM_SIZE 8
#define PARTS 1
#define SUMS_ARE_INTEGERS 0
#include "divide.h"

#define DTYPE float64pairs
#define ACC double
#define SUM_SIZE 8
#define PARTS 2
#define SUMS_ARE_INTEGERS 0
#include "divide.h"
