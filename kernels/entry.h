/* Template: one line of a level's table ENTRY_OF: of maxima and minima, of averages, or of operations on indices. */
#define BLOCK(operation) NUMPOOL_JOIN(operation, DTYPE, block)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
{
#if ENTRY_OF == NUMPOOL_EXTREMA
    .dtype = TEXT(DTYPE),
    .max = BLOCK(max),
    .min = BLOCK(min),
#elif ENTRY_OF == NUMPOOL_AVERAGES
    .average = BLOCK(average),
#if KIND == KIND_INT && ELEM_SIZE == 1
    .short_average = BLOCK(shortaverage),
#endif
#if KIND == KIND_INT && ELEM_SIZE >= 4
    .wide_average = BLOCK(average),
#else
    .wide_average = BLOCK(wideaverage),
#endif
#if KIND != KIND_INT
    .average_backward = BLOCK(averagebackward),
#endif
#else
    .argmax = BLOCK(argmax),
    .argmin = BLOCK(argmin),
#if KIND != KIND_INT
    .extremum_backward = BLOCK(extremumbackward),
#endif
#endif
},
#undef BLOCK
#undef TEXT
#undef TEXT2
