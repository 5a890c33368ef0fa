/* Template: planes of single lanes as the lanes of pixels, and back; by bits, so that one serves all dtypes of a size. The
 * includer defines ELEM_SIZE, and DTYPE as a name for it.
 *
 *     plane[0] .. plane[lanes - 1]  --in-->  n pixels of so many lanes, one behind the other  --out-->  planes
 *
 * Small planes have rows shorter than a vector, or windows that go one by one: as lanes they fill vectors whatever their
 * shape. A vector is pieces of 16 bytes, each of another plane: a square of QUAD elements of QUAD planes is turned in each
 * piece by itself, in one instruction a step at every level. */
#define OPERATION planes
#define LANES LANES_OF(ELEM_SIZE)
#define QUAD NUMPOOL_CAT(QUAD_, ELEM_SIZE)
typedef SIGNED(ELEM_SIZE) FN(vec) __attribute__((vector_size(VECTOR_BYTES)));

/* QUAD vectors: each step moves the first bit of a row's place behind those of its elements'. */
ALWAYS_INLINE void FN(turn)(FN(vec) *v)
{
    for (int done = 1; done < QUAD; done *= 2) {
        FN(vec) w[QUAD];
        for (int i = 0; i < QUAD / 2; i++) {
            w[2 * i] = SHUFFLE(FN(vec), v[i], v[i + QUAD / 2], COUNT_IN_PIECES(QUAD, 0, LANES));
            w[2 * i + 1] = SHUFFLE(FN(vec), v[i], v[i + QUAD / 2], COUNT_IN_PIECES(QUAD, QUAD / 2, LANES));
        }
        for (int i = 0; i < QUAD; i++)
            v[i] = w[i];
    }
}

/* A turned square to n pixels `step` bytes apart. */
ALWAYS_INLINE void FN(put)(const FN(vec) *v, ptrdiff_t n, char *to, ptrdiff_t step)
{
    for (int i = 0; i < n; i++) {
        const FN(vec) x = v[i]; /* else GCC keeps v in memory */
        memcpy(to + i * step, &x, sizeof x);
    }
}

/* QUAD elements of LANES planes, `at` bytes from their starts, to as many pixels or fewer. */
ALWAYS_INLINE void FN(square_in)(const char *const *plane, ptrdiff_t at, ptrdiff_t n, char *to, ptrdiff_t step)
{
    FN(vec) v[QUAD];
    for (int i = 0; i < QUAD; i++)
        v[i] = (FN(vec))numpool_pieces(plane + i, QUAD, at);
    FN(turn)(v);
    FN(put)(v, numpool_min(n, QUAD), to, step);
}

/* Twice as many: addresses are read once. */
ALWAYS_INLINE void FN(squares_in)(const char *const *plane, ptrdiff_t at, char *to, ptrdiff_t step)
{
    FN(vec) v[QUAD], w[QUAD];
    for (int i = 0; i < QUAD; i++) {
        v[i] = (FN(vec))numpool_pieces(plane + i, QUAD, at);
        w[i] = (FN(vec))numpool_pieces(plane + i, QUAD, at + 16);
    }
    FN(turn)(v);
    FN(put)(v, QUAD, to, step);
    FN(turn)(w);
    FN(put)(w, QUAD, to + QUAD * step, step);
}

/* n elements of each plane; those `ahead` bytes further on are fetched, unless it is 0. The last squares overlap those before
 * them. */
static void FN(in)(const char *const *plane, ptrdiff_t n, ptrdiff_t lanes, ptrdiff_t ahead, char *to)
{
    const ptrdiff_t step = lanes * ELEM_SIZE;
    for (; lanes > 0; lanes -= LANES, plane += LANES, to += VECTOR_BYTES) {
        if (n < QUAD) { /* shorter than a piece: nothing behind a plane is read */
            char copy[LANES][16];
            const char *copies[LANES];
            for (int i = 0; i < LANES; i++)
                copies[i] = memcpy(copy[i], plane[i], n * ELEM_SIZE);
            FN(square_in)(copies, 0, n, to, step);
            continue;
        }
        ptrdiff_t e = 0;
        for (; e + 2 * QUAD <= n; e += 2 * QUAD) {
            for (int i = 0; i < LANES && ahead && e * ELEM_SIZE % 64 == 0; i++)
                __builtin_prefetch(plane[i] + ahead + e * ELEM_SIZE);
            FN(squares_in)(plane, e * ELEM_SIZE, to + e * step, step);
        }
        for (; e + QUAD <= n; e += QUAD)
            FN(square_in)(plane, e * ELEM_SIZE, QUAD, to + e * step, step);
        if (e < n)
            FN(square_in)(plane, (n - QUAD) * ELEM_SIZE, QUAD, to + (n - QUAD) * step, step);
    }
}

/* The reverse, to `planes` of them. Where planes follow each other, a short one is stored as a whole piece, and the next
 * ones overwrite what is too much of it. */
static void FN(out)(const char *from, ptrdiff_t n, ptrdiff_t lanes, char *const *plane, ptrdiff_t planes)
{
    const ptrdiff_t step = lanes * ELEM_SIZE, bytes = numpool_min(n, QUAD) * ELEM_SIZE;
    ptrdiff_t whole = planes; /* planes that may be stored so */
    if (0 < n && n < QUAD) {
        for (ptrdiff_t i = 1; i < planes; i++)
            if (plane[i] != plane[i - 1] + bytes)
                whole = 0;
        whole -= 15 / bytes;
    }
    for (; planes > 0; planes -= LANES, whole -= LANES, plane += LANES, from += VECTOR_BYTES)
        for (ptrdiff_t e = 0; e < n; e += QUAD) {
            FN(vec) v[QUAD];
            const ptrdiff_t at = numpool_max(0, numpool_min(e, n - QUAD));
            for (int i = 0; i < QUAD; i++)
                memcpy(&v[i], from + numpool_min(at + i, n - 1) * step, sizeof v[i]);
            FN(turn)(v);
            if (n >= QUAD && planes >= LANES) {
                for (int i = 0; i < QUAD; i++)
                    numpool_store_pieces((numpool_bits)v[i], plane + i, QUAD, at * ELEM_SIZE);
                continue;
            }
            for (int i = 0; i < numpool_min(planes, LANES); i++) { /* plane i is piece i / QUAD of v[i % QUAD] */
                const char *piece = (const char *)&v[i % QUAD] + i / QUAD * 16;
                if (i < whole)
                    memcpy(plane[i] + at * ELEM_SIZE, piece, 16);
                else
                    memcpy(plane[i], piece, bytes);
            }
        }
}
#undef OPERATION
#undef LANES
#undef QUAD
#undef DTYPE
#undef ELEM_SIZE
