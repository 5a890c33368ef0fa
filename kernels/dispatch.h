/* The list of levels, worst first: each one's name and tables, and whether this processor runs it. The questions use the
 * names that the level's target pragma uses. */
#ifndef NUMPOOL_DISPATCH_H
#define NUMPOOL_DISPATCH_H
#include "job.h"
#ifdef NUMPOOL_X86
#include <cpuid.h>
#endif

typedef struct {
    const char *name;
    const numpool_extremum_kernels *extremum_kernels;
    const numpool_average_kernels *average_kernels;
    const numpool_index_kernels *index_kernels;
    const numpool_movers *movers;
    int runs;
} numpool_level;

#define DECLARE_TABLES(level) \
    extern const numpool_extremum_kernels numpool_extremum_kernels_##level[]; \
    extern const numpool_average_kernels numpool_average_kernels_##level[]; \
    extern const numpool_index_kernels numpool_index_kernels_##level[]; \
    extern const numpool_movers numpool_movers_##level
#define LEVEL_TABLES(level) \
    numpool_extremum_kernels_##level, numpool_average_kernels_##level, numpool_index_kernels_##level, &numpool_movers_##level
DECLARE_TABLES(baseline);
#ifdef NUMPOOL_X86
DECLARE_TABLES(v3);
DECLARE_TABLES(v4);
#endif

static inline int numpool_levels(numpool_level *list)
{
    int n = 0;
    list[n++] = (numpool_level){"baseline", LEVEL_TABLES(baseline), 1};
#ifdef NUMPOOL_X86
    unsigned eax, ebx, ecx = 0, edx;
    __builtin_cpu_init();
    __get_cpuid(1, &eax, &ebx, &ecx, &edx); /* for what clang 16 cannot ask by name */
    const int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                   (ecx & bit_F16C);
    const int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl");
    list[n++] = (numpool_level){"v3", LEVEL_TABLES(v3), v3};
    list[n++] = (numpool_level){"v4", LEVEL_TABLES(v4), v4};
#endif
    return n;
}

#ifdef __VERSION__
#define NUMPOOL_COMPILER __VERSION__
#else
#define NUMPOOL_COMPILER "unknown"
#endif

#ifdef _OPENMP
#include <omp.h>
#define NUMPOOL_OPENMP 1
#else
#define NUMPOOL_OPENMP 0
static inline int omp_get_max_threads(void) { return 1; }
#endif
#endif
