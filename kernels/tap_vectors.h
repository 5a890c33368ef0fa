/* Template: vectors of indices, as taps of their windows, and of gradients; for tiles.h and gather.h. */
#define LANES LANES_OF(ELEM_SIZE)
typedef ELEM FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ELEM_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t FN(longs) __attribute__((vector_size(VECTOR_BYTES)));
typedef uint8_t FN(bytes) __attribute__((vector_size(LANES)));

ALWAYS_INLINE FN(vec) FN(load)(const char *p)
{
    FN(vec) x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* What a pass saw of its indices: `lost` is not 0 where one names no tap, `far` has bits from 32 on where one is far off. */
typedef struct {
    FN(ivec) lost;
    FN(longs) far;
} FN(doubts);

static int FN(is_foreign)(const FN(doubts) *doubts)
{
    int foreign = 0;
    for (int i = 0; i < LANES; i++)
        foreign |= doubts->lost[i] != 0;
    for (int i = 0; i < LANES_8; i++)
        foreign |= (uint64_t)doubts->far[i] > UINT32_MAX;
    return foreign;
}

/* What the elements of a piece have in common. A position counts from tap 0 of its own window: that of element i is
 * `first` + i * step. */
typedef struct {
    const FN(piece) *piece;
    int bytewise;
    int32_t down, right; /* from tap to tap, as indices count */
    int64_t first;
    ptrdiff_t step;
    FN(longs) ramp[8 / ELEM_SIZE]; /* multiples of step */
    FN(ivec) none;                 /* "no tap", in the elements from 0 on */
} FN(reading);

ALWAYS_INLINE FN(reading) FN(reading_of)(const numpool_job *job, const FN(piece) *piece, ptrdiff_t step)
{
    const int bytewise = job->window_index;
    FN(reading) r = {.piece = piece, .bytewise = bytewise, .first = bytewise ? 0 : FN(window_start)(job, piece),
                     .down = (int32_t)(bytewise ? job->w.kernel : job->position.row),
                     .right = (int32_t)(bytewise ? 1 : job->position.pixel),
                     .step = bytewise ? 0 : step};
    for (int i = 0; i < LANES; i++) {
        r.ramp[i / LANES_8][i % LANES_8] = i * r.step;
        r.none[i] = (SIGNED(ELEM_SIZE))(bytewise ? UINT8_MAX : -1 - r.first - i * r.step);
    }
    return r;
}

/* Elements from i on: the taps that they name, and their gradients. Returns which name one. */
ALWAYS_INLINE FN(ivec) FN(read_vector)(const FN(reading) *r, ptrdiff_t i, FN(ivec) *tap, FN(ivec) *grad, FN(doubts) *doubts)
{
    *grad = (FN(ivec))FN(load)(r->piece->grad + i * ELEM_SIZE);
    if (r->bytewise) {
        FN(bytes) bytes;
        memcpy(&bytes, r->piece->index + i, sizeof bytes);
        *tap = __builtin_convertvector(bytes, FN(ivec));
        return *tap != r->none;
    }
    const FN(longs) a = (FN(longs))FN(load)(r->piece->index + i * 8) - (r->ramp[0] + r->first + i * r->step);
    doubts->far |= a + ((int64_t)1 << 31);
#if ELEM_SIZE == 8
    *tap = a;
#else
    const FN(longs) b = (FN(longs))FN(load)(r->piece->index + i * 8 + VECTOR_BYTES) - (r->ramp[1] + r->first + i * r->step);
    doubts->far |= b + ((int64_t)1 << 31);
    *tap = SHUFFLE(FN(ivec), (FN(ivec))a, (FN(ivec))b, COUNT_BY_2(LANES, 0)); /* little endian */
#endif
    return *tap != r->none - (SIGNED(ELEM_SIZE))(i * r->step);
}
