/* Template: a stage of many taps and at least a vector. The order is the one of fold.h, whose words for that stage the includer
 * has still defined, and
 *   TALL                    the stage's name         TALL_LOAD(p, f), TALL_STORE(p, x, f)   STAGE_TYPE, of accumulators
 *   TALL_SIZE               bytes of a source element
 *
 * Eight rows after eight are read from end to end (all pixels of them, where those lie apart and are the fold's rows), what they
 * are so far in dst. */

#define TALL_NAME(part) NUMPOOL_CAT(FN(TALL), _##part)

/* Up to 8 rows, a vector from element i on: joined with what `so_far` of the fold's taps gave. */
ALWAYS_INLINE void TALL_NAME(vector)(const char *p, char *d, ptrdiff_t i, ptrdiff_t t, STAGE_TYPE so_far, int some, int ahead,
                                     const numpool_fold *f)
{
    for (int next = 8; ahead && next < 16; next++)
        __builtin_prefetch(p + i * TALL_SIZE + next * f->step);
    const STAGE_TYPE all = WIDEN(TALL_NAME(tree)(p + i * TALL_SIZE, t, f->step, some, f));
    TALL_STORE(d + i * ACC_SIZE, t ? STEP_STAGE(so_far, all) : all, f);
}

/* The same from end to end; `ahead`: the eight rows behind them are fetched. The last vector overlaps the one before, whose
 * results it must not take for what came before. */
ALWAYS_INLINE void TALL_NAME(eight)(const char *p, char *d, ptrdiff_t t, int some, int ahead, const numpool_fold *f)
{
    const ptrdiff_t end = f->n - LANES;
    const STAGE_TYPE last = TALL_LOAD(d + end * ACC_SIZE, f);
    for (ptrdiff_t i = 0; i < end; i += LANES)
        TALL_NAME(vector)(p, d, i, t, TALL_LOAD(d + i * ACC_SIZE, f), some, ahead, f);
    TALL_NAME(vector)(p, d, end, t, last, some, ahead, f);
}

static __attribute__((noinline, unused)) void TALL_NAME(tall)(const numpool_fold *given)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t together = f->src_pitch < f->step ? f->rows : 1;
    const int ahead = f->fresh && f->step <= NUMPOOL_AHEAD;
    for (ptrdiff_t first = 0; first < f->rows; first += together)
        for (ptrdiff_t t = 0; t < f->taps; t += 8)
            for (ptrdiff_t r = first; r < first + together; r++) {
                const char *p = f->src + r * f->src_pitch + t * f->step;
                char *d = f->dst + r * f->dst_pitch;
                if (f->taps - t < 8)
                    TALL_NAME(eight)(p, d, t, (int)(f->taps - t), 0, f);
                else if (ahead)
                    TALL_NAME(eight)(p, d, t, 8, 1, f);
                else
                    TALL_NAME(eight)(p, d, t, 8, 0, f);
            }
}
#undef TALL_NAME
#undef TALL
#undef TALL_SIZE
