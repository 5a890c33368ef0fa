/* Template: STAGE_tree, the fixed shape in which up to 8 taps are joined. The includer defines STAGE, TREE_TYPE, TAP
 * and STEP as in fold.h; PLACE is what `p` points to, taps lie `step` of those apart. */
ALWAYS_INLINE TREE_TYPE NUMPOOL_CAT(FN(STAGE), _tree)(const PLACE *p, ptrdiff_t t, ptrdiff_t step, int taps,
                                                      const numpool_fold *f)
{
#define T(i) TAP(p + (i) * step, t + (i), f)
#define T2(i) STEP(T(i), T((i) + 1))
#define T4(i) STEP(T2(i), T2((i) + 2))
    (void)t;
    (void)f;
    switch (taps) {
    case 1: return T(0);
    case 2: return T2(0);
    case 3: return STEP(T2(0), T(2));
    case 4: return T4(0);
    case 5: return STEP(T4(0), T(4));
    case 6: return STEP(T4(0), T2(4));
    case 7: return STEP(T4(0), STEP(T2(4), T(6)));
    default: return STEP(T4(0), T4(4));
    }
#undef T
#undef T2
#undef T4
}
#undef PLACE
