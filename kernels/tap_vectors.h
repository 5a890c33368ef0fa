/* Template: vectors of indices, as taps of their windows, and of gradients; for tiles.h and gather.h. */
#define LANES LANES_OF(ELEM_SIZE)
typedef ELEM FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ELEM_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t FN(longs) __attribute__((vector_size(VECTOR_BYTES)));
typedef uint8_t FN(bytes) __attribute__((vector_size(LANES)));
typedef uint16_t FN(words) __attribute__((vector_size(2 * LANES)));
typedef int32_t FN(numbers) __attribute__((vector_size(4 * LANES)));

ALWAYS_INLINE FN(vec) FN(load)(const char *p)
{
    FN(vec) x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* What a pass saw of its indices: `lost` is not 0 where one names no tap of its window, `far` has bits from 32 on where one is
 * that far off. */
typedef struct {
    FN(ivec) lost;
    FN(longs) far[8 / ELEM_SIZE];
} FN(doubts);

static int FN(is_foreign)(const FN(doubts) *doubts)
{
    int foreign = 0;
    for (int i = 0; i < LANES; i++)
        foreign |= doubts->lost[i] != 0 || (uint64_t)doubts->far[i / LANES_8][i % LANES_8] > UINT32_MAX;
    return foreign;
}

/* How the indices of a job count. A position is counted from tap 0 of its own window, which from element to element of a piece
 * is `step` on. */
typedef struct {
    int bytewise;
    int32_t down, right; /* from tap to tap */
    int64_t step;
    FN(longs) ramp[8 / ELEM_SIZE]; /* multiples of step */
} FN(reading);

ALWAYS_INLINE FN(reading) FN(reading_of)(const numpool_job *job, int64_t step)
{
    const int bytewise = job->window_index;
    FN(reading) r = {.bytewise = bytewise, .step = step, .down = (int32_t)(bytewise ? job->w.kernel : job->position.row),
                     .right = (int32_t)(bytewise ? 1 : job->position.pixel)};
    for (int i = 0; i < LANES; i++)
        r.ramp[i / LANES_8][i % LANES_8] = i * step;
    return r;
}

/* Elements from i on of a piece whose first window has its tap 0 at `start`: the taps that they name, and their gradients. */
ALWAYS_INLINE void FN(read_vector)(const FN(reading) *r, const FN(piece) *piece, int64_t start, ptrdiff_t i, int bytewise,
                                   FN(ivec) *tap, FN(ivec) *grad, FN(doubts) *doubts)
{
    *grad = (FN(ivec))FN(load)(piece->grad + i * ELEM_SIZE);
    if (bytewise) {
#if ELEM_SIZE == 4 && defined(NATIVE_INTS_1)
        *tap = (FN(ivec))NATIVE_INTS_1(piece->index + i);
#else
        FN(bytes) bytes;
        memcpy(&bytes, piece->index + i, sizeof bytes);
        /* twice as wide after twice as wide: GCC takes other steps apart */
        const FN(numbers) numbers = __builtin_convertvector(__builtin_convertvector(bytes, FN(words)), FN(numbers));
        *tap = __builtin_convertvector(numbers, FN(ivec));
#endif
        return;
    }
    const FN(longs) a = (FN(longs))FN(load)(piece->index + i * 8) - (r->ramp[0] + (start + i * r->step));
#if ELEM_SIZE == 8
    doubts->far[0] |= a;
    *tap = a;
#else
    const FN(longs) b = (FN(longs))FN(load)(piece->index + i * 8 + VECTOR_BYTES) - (r->ramp[1] + (start + i * r->step));
    doubts->far[0] |= a;
    doubts->far[1] |= b;
    *tap = SHUFFLE(FN(ivec), (FN(ivec))a, (FN(ivec))b, COUNT_BY_2(LANES, 0)); /* little endian */
#endif
}
