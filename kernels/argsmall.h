/* Template: windows of at most 3 x 3 taps in one stage, from rows of comparable values to the value and the index. Where
 * windows share rows of taps they go downwards in strips one vector wide: what `row_best` finds in a row stays in
 * registers for the window below. See numpool_small for the words of a call. */
typedef int64_t FN(position) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ACC_SIZE) FN(few) __attribute__((vector_size(VECTOR_BYTES / 8 * ACC_SIZE)));
typedef int16_t FN(short) __attribute__((vector_size(LANES * 2)));
#if ACC_SIZE == 8
#define NARROW(x) __builtin_convertvector(__builtin_convertvector(x, FN(few)), FN(short))
#else
#define NARROW(x) __builtin_convertvector(x, FN(short))
#endif
typedef uint8_t FN(byte) __attribute__((vector_size(LANES)));

/* Half a vector of taps, as positions. */
#define HALF(x, from) __builtin_shufflevector(x, x, NUMPOOL_CAT(COUNT_, LANES_8)(from))
#ifdef NATIVE_DOUBLE_4_0
#define POSITIONS(x, from) ((FN(position))NATIVE_DOUBLE_4_0(HALF(x, from)))
#else
#define POSITIONS(x, from) __builtin_convertvector(HALF(x, from), FN(position))
#endif
#define COUNT_2(f) (f), (f) + 1
#define COUNT_4(f) COUNT_2(f), COUNT_2((f) + 2)
#define COUNT_8(f) COUNT_4(f), COUNT_4((f) + 4)

/* Tap u of a row. At stride 2 every second element, from two loads that end with the last one needed. */
ALWAYS_INLINE FN(vec) FN(row_tap)(const char *p, ptrdiff_t u, const numpool_small *f, int halves)
{
    if (!halves)
        return FN(load)(p + u * f->across);
    return u == 0 ? FN(even)(p) : FN(odd)(p + (u - 1) * ACC_SIZE);
}

ALWAYS_INLINE FN(pair) FN(row_best)(const char *p, FN(ivec) first, const numpool_small *f, int taps_x, int halves)
{
    FN(pair) best = {FN(row_tap)(p, 0, f, halves), first};
    __builtin_prefetch(p + f->ahead);
    if (taps_x > 1 && !halves) /* of the columns that windows do not share, the last */
        __builtin_prefetch(p + f->further);
    if (taps_x > 1)
        best = STEP(best, FN(at_tap)(FN(row_tap)(p, 1, f, halves), f->tap + f->unit_x));
    if (taps_x > 2)
        best = STEP(best, FN(at_tap)(FN(row_tap)(p, 2, f, halves), f->tap + 2 * f->unit_x));
    return best;
}

ALWAYS_INLINE void FN(put_index)(const numpool_small *f, ptrdiff_t row, ptrdiff_t i, FN(ivec) tap, int64_t at,
                                 FN(position) steps)
{
    char *index = f->index + row * f->index_pitch + i * f->index_size;
    if (f->index_size == 1) {
#ifdef NATIVE_BYTES_4
        NUMPOOL_CAT(NATIVE_BYTES_, ACC_SIZE)(index, tap);
#else
        const FN(byte) bytes = __builtin_convertvector(NARROW(tap), FN(byte));
        memcpy(index, &bytes, sizeof bytes);
#endif
    } else if (f->positions) {
        steps += at + i * f->move;
#if ACC_SIZE == 8
        steps += tap;
        memcpy(index, &steps, sizeof steps);
#else
        const FN(position) low = steps + POSITIONS(tap, 0);
        memcpy(index, &low, sizeof low);
        if (f->n <= LANES_8)
            return;
        steps += LANES_8 * f->move;
        const FN(position) high = steps + POSITIONS(tap, LANES_8);
        memcpy(index + sizeof low, &high, sizeof high);
#endif
    } else {
        memcpy(index, &tap, sizeof tap);
    }
}

/* The numbers of tap 0. */
ALWAYS_INLINE FN(ivec) FN(first_taps)(const numpool_small *f, ptrdiff_t r, ptrdiff_t i)
{
    return FN(load_taps)(f->skipped + r * f->skipped_pitch + i * f->skipped_size) + (SIGNED(ACC_SIZE))f->tap;
}

/* The window whose rows of taps start at `p`: the first `kept` of its rows are in `row` already. */
ALWAYS_INLINE void FN(small_window)(const numpool_small *f, const char *p, ptrdiff_t r, ptrdiff_t i, FN(pair) row[3],
                                    FN(ivec) first, int64_t at, FN(position) steps, int taps_y, int kept, int taps_x,
                                    int halves)
{
    for (int t = kept; t < taps_y; t++)
        row[t] = FN(row_best)(p + t * f->down, first, f, taps_x, halves);
    FN(pair) best = row[0];
    for (int t = 1; t < taps_y; t++)
        best = STEP(best, ((FN(pair)){row[t].value, row[t].tap + (SIGNED(ACC_SIZE))(t * f->unit_y)}));
    FN(store)(f->value + r * f->value_pitch + i * ACC_SIZE, best.value);
    FN(put_index)(f, r, i, best.tap, at, steps);
}

ALWAYS_INLINE void FN(small_rows)(const numpool_small *given, int taps_y, int kept, int taps_x, int halves)
{
    const numpool_small copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t size = ACC_SIZE << halves, last = numpool_max(f->n - LANES, 0);
    FN(position) steps;
    FN(pair) row[3];
    for (int i = 0; i < LANES_8; i++)
        steps[i] = i * f->move;
    if (!kept) {
        const char *p = f->src;
        int64_t at = f->base;
        for (ptrdiff_t r = 0, until = f->until; r < f->rows; r++, p += f->src_pitch, at += f->fall) {
            if (until-- == 0) {
                until = f->period - 1;
                at += f->jump;
                p += f->src_jump;
            }
            for (ptrdiff_t i = 0; i < last; i += LANES)
                FN(small_window)(f, p + i * size, r, i, row, FN(first_taps)(f, r, i), at, steps, taps_y, 0, taps_x, halves);
            FN(small_window)(f, p + last * size, r, last, row, FN(first_taps)(f, r, last), at, steps, taps_y, 0, taps_x,
                             halves);
        }
        return;
    }
    for (ptrdiff_t top = 0; top < f->rows; top += NUMPOOL_SMALL_ROWS) {
        const ptrdiff_t end = numpool_min(f->rows, top + NUMPOOL_SMALL_ROWS);
        for (ptrdiff_t i = 0, next; i < f->n; i = next) {
            next = i + LANES;
            i = numpool_min(i, last);
            const char *p = f->src + top * f->src_pitch + i * size;
            const FN(ivec) first = FN(first_taps)(f, 0, i);
            for (int t = 0; t < kept; t++)
                row[t] = FN(row_best)(p + t * f->down, first, f, taps_x, halves);
            for (ptrdiff_t r = top; r < end; r++, p += f->src_pitch) {
                FN(small_window)(f, p, r, i, row, first, f->base + r * f->fall, steps, taps_y, kept, taps_x, halves);
                for (int t = 0; t < kept; t++)
                    row[t] = row[t + taps_y - kept];
            }
        }
    }
}

ALWAYS_INLINE void FN(small_columns)(const numpool_small *f, int taps_x, int halves)
{
    switch (f->taps_y * 3 + f->kept) { /* constants, so that the taps are unrolled into registers */
    case 3: FN(small_rows)(f, 1, 0, taps_x, halves); break;
    case 6: FN(small_rows)(f, 2, 0, taps_x, halves); break;
    case 7: FN(small_rows)(f, 2, 1, taps_x, halves); break;
    case 9: FN(small_rows)(f, 3, 0, taps_x, halves); break;
    case 10: FN(small_rows)(f, 3, 1, taps_x, halves); break;
    default: FN(small_rows)(f, 3, 2, taps_x, halves); break;
    }
}

static __attribute__((noinline)) void FN(small)(const numpool_small *f)
{
    switch (f->taps_x) {
    case 1: FN(small_columns)(f, 1, 0); break;
    case 2: FN(small_columns)(f, 2, 0); break;
    default: FN(small_columns)(f, 3, 0);
    }
}

/* Single lanes at stride 2. */
static __attribute__((noinline)) void FN(small2)(const numpool_small *f)
{
    switch (f->taps_x) {
    case 1: FN(small_columns)(f, 1, 1); break;
    case 2: FN(small_columns)(f, 2, 1); break;
    default: FN(small_columns)(f, 3, 1);
    }
}

/* Some vectors of a window of any number of taps, over slabs as well, from lane i on: one tap after the other, as they lie in
 * memory. */
ALWAYS_INLINE void FN(apart_window)(const numpool_small *f, ptrdiff_t r, ptrdiff_t i, FN(position) steps, ptrdiff_t taps_z,
                                    ptrdiff_t taps_y, ptrdiff_t taps_x, ptrdiff_t ahead, int vectors)
{
    const FN(ivec) unit_x = (FN(ivec)){0} + (SIGNED(ACC_SIZE))f->unit_x;
    const FN(ivec) unit_y = (FN(ivec)){0} + (SIGNED(ACC_SIZE))f->unit_y;
    const char *p = f->src + r * f->src_pitch + i * ACC_SIZE;
    FN(pair) best[NUMPOOL_APART];
    for (int v = 0; v < vectors; v++)
        best[v] = FN(at_tap)(FN(load)(p + v * VECTOR_BYTES), 0);
    for (ptrdiff_t z = 0; z < taps_z; z++, p += f->slab) {
        FN(ivec) first = (FN(ivec)){0} + (SIGNED(ACC_SIZE))(z * f->unit_z);
        const char *q = p;
        for (ptrdiff_t t = 0; t < taps_y; t++, q += f->down, first += unit_y) {
            FN(ivec) tap = first;
            for (ptrdiff_t u = 0; u < taps_x; u++, tap += unit_x) {
                const char *const first_lane = q + u * f->across;
                for (int i = 0; ahead && i < vectors * VECTOR_BYTES; i += 64)
                    __builtin_prefetch(first_lane + ahead + i);
                for (int v = 0; v < vectors; v++)
                    best[v] = STEP(best[v], ((FN(pair)){FN(load)(first_lane + v * VECTOR_BYTES), tap}));
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        FN(store)(f->value + r * f->value_pitch + (i + v * LANES) * ACC_SIZE, best[v].value);
        FN(put_index)(f, r, i + v * LANES, best[v].tap, f->base + r * f->fall, steps);
    }
}

ALWAYS_INLINE void FN(apart_rows)(const numpool_small *given, ptrdiff_t taps_z, ptrdiff_t taps_y, ptrdiff_t taps_x,
                                  ptrdiff_t ahead)
{
    const numpool_small copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    FN(position) steps;
    for (int i = 0; i < LANES_8; i++)
        steps[i] = i * f->move;
    for (ptrdiff_t r = 0; r < f->rows; r++) {
        ptrdiff_t i = 0;
        for (; i + NUMPOOL_APART * LANES <= f->n; i += NUMPOOL_APART * LANES)
            FN(apart_window)(f, r, i, steps, taps_z, taps_y, taps_x, ahead, NUMPOOL_APART);
        for (; i + NUMPOOL_APART / 2 * LANES <= f->n; i += NUMPOOL_APART / 2 * LANES)
            FN(apart_window)(f, r, i, steps, taps_z, taps_y, taps_x, ahead, NUMPOOL_APART / 2);
        for (; i < f->n; i += LANES)
            FN(apart_window)(f, r, numpool_min(i, f->n - LANES), steps, taps_z, taps_y, taps_x, ahead, 1);
    }
}

static __attribute__((noinline)) void FN(apart)(const numpool_small *f)
{
    if (f->taps_z == 2 && f->taps_y == 2 && f->taps_x == 2)
        FN(apart_rows)(f, 2, 2, 2, 0);
    else
        FN(apart_rows)(f, f->taps_z, f->taps_y, f->taps_x, f->ahead);
}
#undef NARROW
#undef HALF
#undef POSITIONS
#undef COUNT_2
#undef COUNT_4
#undef COUNT_8
