/* Template: the horizontal stage at stride 2 for single lanes: output i reads elements 2i, 2i + 1, ... Even and odd taps
 * of a pair come out of the same two loads. The includer defines FN(load), and PUT as for `across`. */
ALWAYS_INLINE FN(vec) FN(evens)(FN(vec) a, FN(vec) b)
{
#if ACC_SIZE == 4 && defined(NATIVE_EVENS_4)
    return (FN(vec))NATIVE_EVENS_4(a, b);
#else
    return SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 0));
#endif
}
ALWAYS_INLINE FN(vec) FN(odds)(FN(vec) a, FN(vec) b)
{
#if ACC_SIZE == 4 && defined(NATIVE_ODDS_4)
    return (FN(vec))NATIVE_ODDS_4(a, b);
#else
    return SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 1));
#endif
}

ALWAYS_INLINE FN(vec) FN(even)(const char *p) { return FN(evens)(FN(load)(p), FN(load)(p + VECTOR_BYTES)); }
ALWAYS_INLINE FN(vec) FN(odd)(const char *p) { return FN(odds)(FN(load)(p), FN(load)(p + VECTOR_BYTES)); }
