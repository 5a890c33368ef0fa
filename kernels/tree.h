/* Template: STAGE_tree, the fixed shape in which up to 8 taps are joined. The includer defines STAGE, TREE_TYPE, TAP
 * and STEP as in fold.h; PLACE is what `p` points to, taps lie `step` of those apart. */
ALWAYS_INLINE TREE_TYPE NUMPOOL_CAT(FN(STAGE), _tree)(const PLACE *p, ptrdiff_t t, ptrdiff_t step, int taps,
                                                      const numpool_fold *f)
{
/* `left` first: of a call's arguments GCC evaluates the last one first, and a processor fetches ahead of ascending addresses. */
#define T(i) TAP(p + (i) * step, t + (i), f)
#define JOIN(a, b) ({ const TREE_TYPE left = (a); STEP(left, (b)); })
#define T2(i) JOIN(T(i), T((i) + 1))
#define T4(i) JOIN(T2(i), T2((i) + 2))
    (void)t;
    (void)f;
    switch (taps) {
    case 1: return T(0);
    case 2: return T2(0);
    case 3: return JOIN(T2(0), T(2));
    case 4: return T4(0);
    case 5: return JOIN(T4(0), T(4));
    case 6: return JOIN(T4(0), T2(4));
    case 7: return JOIN(T4(0), JOIN(T2(4), T(6)));
    default: return JOIN(T4(0), T4(4));
    }
#undef T
#undef JOIN
#undef T2
#undef T4
}
#undef PLACE
