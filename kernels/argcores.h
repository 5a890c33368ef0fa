/* The types that argmax compares in. */
#define DTYPE float32
#define ACC float
#define ACC_SIZE 4
#define ACC_IS_FLOAT 1
#include "argcore.h"

#define DTYPE float64
#define ACC double
#define ACC_SIZE 8
#define ACC_IS_FLOAT 1
#include "argcore.h"

#define DTYPE int32
#define ACC int32_t
#define ACC_SIZE 4
#define ACC_IS_FLOAT 0
#include "argcore.h"

#define DTYPE int64
#define ACC int64_t
#define ACC_SIZE 8
#define ACC_IS_FLOAT 0
#include "argcore.h"
