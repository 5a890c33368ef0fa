/* Template: one line of a level's table. */
#define BLOCK(operation) NUMPOOL_JOIN(operation, DTYPE, block)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
{
    .dtype = TEXT(DTYPE),
    .itemsize = ELEM_SIZE,
    .max = BLOCK(max),
    .min = BLOCK(min),
    .argmax = BLOCK(argmax),
    .argmin = BLOCK(argmin),
    .average = BLOCK(average),
#if KIND == KIND_INT && ELEM_SIZE >= 4
    .wide_average = BLOCK(average),
#else
    .wide_average = BLOCK(wideaverage),
#endif
#if KIND != KIND_INT
    .extremum_backward = BLOCK(extremumbackward),
    .average_backward = BLOCK(averagebackward),
#endif
},
#undef BLOCK
#undef TEXT
#undef TEXT2
