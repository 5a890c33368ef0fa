/* Template: the horizontal stage at stride 2 for single lanes: output i reads elements 2i, 2i + 1, ... Even and odd taps
 * of a pair come out of the same two loads. The includer defines FN(load), and PUT as for `across`. */
ALWAYS_INLINE FN(vec) FN(even)(const char *p)
{
    return SHUFFLE(FN(ivec), FN(load)(p), FN(load)(p + VECTOR_BYTES), COUNT_BY_2(LANES, 0));
}
ALWAYS_INLINE FN(vec) FN(odd)(const char *p)
{
    return SHUFFLE(FN(ivec), FN(load)(p), FN(load)(p + VECTOR_BYTES), COUNT_BY_2(LANES, 1));
}
