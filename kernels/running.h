/* Template: wide windows at a small stride, for a cost that does not depend on their width.
 *
 * Where ROLLS, sums of integers roll: each is the one before, and what its window has moved onto, less what it has left. They
 * are the same in any order, wherever a tile starts.
 *
 * Else an axis is cut into blocks as long as a window, so that a window is the end of one block and the start of the next:
 *
 *     . . . a b | c d e . . .      sums that run from the cuts, to the left and to the right, are all that is needed
 *
 * (van Herk 1992, Gil & Werman 1993, of maxima). Nothing is ever subtracted: NaN and inf stay in the windows that hold
 * them. The cuts lie at multiples of the kernel from the first window's start: the order of additions depends on the
 * window's number, never on the level, the layout, the tile or the thread. Sums: only in wide accumulators, which many
 * additions in a row do not harm. Extremes: only down columns; across rows, passes are faster.
 *
 * The includer defines STAGE, STEP, LANES, PARTS, SOURCE_SIZE, TAP(p, apart), a vector of the source as FN(vec), and
 * RUNNING_WIDE, the vectors done together; FN(load_parts)(p, apart) and FN(store)(p, x, apart), of accumulators;
 * FN(nothing)(), the identity; ROLLS, where FN(less)(a, b) is a difference. */
#define STAGE_NAME(part) NUMPOOL_CAT(FN(STAGE), _##part)
#define LOAD_ STAGE_NAME(load)
#define STORE_ STAGE_NAME(store)
#define VECTORS_ STAGE_NAME(vectors)

/* A row shorter than a vector, of the image, goes through a copy: it may end the array, and rows are written upwards. */
ALWAYS_INLINE FN(vec) LOAD_(const char *p, const numpool_fold *f, int whole)
{
    if (whole)
        return TAP(p, f->src_apart);
    char copy[VECTOR_BYTES] = {0};
    NATIVE_TAKE(copy, p, f->n * SOURCE_SIZE);
    return TAP(copy, 0);
}

ALWAYS_INLINE void STORE_(char *p, FN(vec) x, const numpool_fold *f, int whole)
{
    char copy[PARTS * VECTOR_BYTES];
    FN(store)(whole ? p : copy, x, whole ? f->dst_apart : VECTOR_BYTES);
    for (int part = 0; part < PARTS && !whole; part++)
        NATIVE_COPY(p + part * f->dst_apart, copy + part * VECTOR_BYTES, f->n * ACC_SIZE);
}

#if ROLLS
/* `wide` vectors from element `at` on, of outputs [first, last); `going`: the output before lies before them. */
ALWAYS_INLINE void VECTORS_(const numpool_fold *given, const numpool_axis *axis, ptrdiff_t first, ptrdiff_t last, int going,
                            ptrdiff_t at, int wide, int whole)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t kernel = axis->kernel, stride = axis->stride;
    const ptrdiff_t low = axis->before, high = axis->before + axis->in; /* positions from the first window's start */
    const char *const src = f->src + at * SOURCE_SIZE;
    char *dst = f->dst + at * ACC_SIZE;
    ptrdiff_t left = numpool_max(low, (first - going) * stride);
    ptrdiff_t entered = going ? numpool_max(left, numpool_min((first - 1) * stride + kernel, high)) : left;
    FN(vec) sum[RUNNING_WIDE];
    for (int u = 0; u < wide; u++)
        sum[u] = going ? FN(load_parts)(dst - f->dst_pitch + u * VECTOR_BYTES, f->dst_apart) : FN(nothing)();
    for (ptrdiff_t j = first - going; j < last; j++) {
        if (stride == 1 && left == j && entered == j + kernel - 1 && entered < high && j >= first) { /* one in, one out */
            const char *in = src + (entered++ - low) * f->step, *out = src + (left++ - low) * f->step;
            for (int u = 0; u < wide; u++) {
                const FN(vec) leaving = LOAD_(out + u * LANES * SOURCE_SIZE, f, whole); /* before dst, which may be src */
                sum[u] = STEP(sum[u], LOAD_(in + u * LANES * SOURCE_SIZE, f, whole));
                STORE_(dst + u * VECTOR_BYTES, sum[u], f, whole);
                sum[u] = FN(less)(sum[u], leaving);
            }
            dst += f->dst_pitch;
            continue;
        }
        FN(vec) done[RUNNING_WIDE];
        for (const ptrdiff_t stop = numpool_min(j * stride + kernel, high); entered < stop; entered++)
            for (int u = 0; u < wide; u++)
                sum[u] = STEP(sum[u], LOAD_(src + (entered - low) * f->step + u * LANES * SOURCE_SIZE, f, whole));
        for (int u = 0; u < wide; u++)
            done[u] = sum[u];
        for (const ptrdiff_t stop = numpool_min((j + 1) * stride, entered); left < stop; left++)
            for (int u = 0; u < wide; u++)
                sum[u] = FN(less)(sum[u], LOAD_(src + (left - low) * f->step + u * LANES * SOURCE_SIZE, f, whole));
        if (j < first)
            continue;
        for (int u = 0; u < wide; u++)
            STORE_(dst + u * VECTOR_BYTES, done[u], f, whole);
        dst += f->dst_pitch;
    }
}
#else
/* The same; each output by itself. */
ALWAYS_INLINE void VECTORS_(const numpool_fold *given, const numpool_axis *axis, ptrdiff_t first, ptrdiff_t last, int going,
                            ptrdiff_t at, int wide, int whole)
{
    (void)going;
    const numpool_fold copy = *given, *f = &copy;
    const ptrdiff_t kernel = axis->kernel, stride = axis->stride;
    const ptrdiff_t low = axis->before, high = axis->before + axis->in; /* positions from the first window's start */
    const char *const src = f->src + at * SOURCE_SIZE;
    const FN(vec) nothing = FN(nothing)();
    FN(vec) sum[RUNNING_WIDE];
    for (ptrdiff_t i = first, next; i < last; i = next) {
        const ptrdiff_t cut = (i * stride / kernel + 1) * kernel;
        char *const dst = f->dst + (i - first) * f->dst_pitch + at * ACC_SIZE;
        next = numpool_min(last, numpool_ceil_div(cut, stride));
        ptrdiff_t p = numpool_min(cut, high);
        for (int u = 0; u < wide; u++)
            sum[u] = nothing;
        for (ptrdiff_t j = next - 1; j >= i; j--) {
            for (const ptrdiff_t stop = numpool_max(j * stride, low); p > stop;) {
                p--;
                for (int u = 0; u < wide; u++)
                    sum[u] = STEP(sum[u], LOAD_(src + (p - low) * f->step + u * LANES * SOURCE_SIZE, f, whole));
            }
            for (int u = 0; u < wide; u++)
                STORE_(dst + (j - i) * f->dst_pitch + u * VECTOR_BYTES, sum[u], f, whole);
        }
        p = numpool_max(cut, low);
        for (int u = 0; u < wide; u++)
            sum[u] = nothing;
        for (ptrdiff_t j = i; j < next; j++) {
            char *const d = dst + (j - i) * f->dst_pitch;
            for (const ptrdiff_t stop = numpool_min(j * stride + kernel, high); p < stop; p++)
                for (int u = 0; u < wide; u++)
                    sum[u] = STEP(sum[u], LOAD_(src + (p - low) * f->step + u * LANES * SOURCE_SIZE, f, whole));
            for (int u = 0; u < wide; u++)
                STORE_(d + u * VECTOR_BYTES, STEP(FN(load_parts)(d + u * VECTOR_BYTES, f->dst_apart), sum[u]), f, whole);
        }
    }
}
#endif

/* Outputs [first, last) of an axis: f->src is the first position that exists, positions are f->step apart. Where n is
 * a multiple of LANES, dst may be src (an output where its window starts); else a last vector overlaps the one before.
 * `going`: sums that roll go on from the output before, which lies dst_pitch before them. */
static __attribute__((noinline)) void FN(STAGE)(const numpool_fold *f, const numpool_axis *axis, ptrdiff_t first,
                                                ptrdiff_t last, int going)
{
    ptrdiff_t i = 0;
    if (f->n < LANES) {
        VECTORS_(f, axis, first, last, going, 0, 1, 0);
        return;
    }
    for (; i + RUNNING_WIDE * LANES <= f->n; i += RUNNING_WIDE * LANES)
        VECTORS_(f, axis, first, last, going, i, RUNNING_WIDE, 1);
    for (; i + 2 * LANES <= f->n; i += 2 * LANES)
        VECTORS_(f, axis, first, last, going, i, 2, 1);
    for (; i < f->n; i += LANES)
        VECTORS_(f, axis, first, last, going, numpool_min(i, f->n - LANES), 1, 1);
}
#undef STAGE_NAME
#undef LOAD_
#undef STORE_
#undef VECTORS_
#undef STAGE
#undef TAP
#undef SOURCE_SIZE
