/* Template: running sums across rows of pixels shorter than a vector. Two vectors of rows at a time are turned, so that
 * a vector holds the same element of LANES rows: what ran down runs across. The includer defines the stage `run_on`
 * (running.h, from accumulators), FN(finish) and FN(load). */

/* LANES vectors of LANES elements: each step moves the last bit of an element's place to the front of its row's. */
ALWAYS_INLINE void FN(turn)(FN(plane) *v)
{
    for (int done = 1; done < LANES; done *= 2) {
        FN(plane) w[LANES];
        for (int i = 0; i < LANES / 2; i++) {
            w[i] = SHUFFLE(FN(ivec), v[2 * i], v[2 * i + 1], COUNT_BY_2(LANES, 0));
            w[i + LANES / 2] = SHUFFLE(FN(ivec), v[2 * i], v[2 * i + 1], COUNT_BY_2(LANES, 1));
        }
        for (int i = 0; i < LANES; i++)
            v[i] = w[i];
    }
}

/* The first n elements of `rows` rows, element after element; the rows missing to `high` are like the last. */
static __attribute__((noinline)) void FN(turn_in)(const char *src, ptrdiff_t pitch, ptrdiff_t rows, ptrdiff_t high,
                                                  ptrdiff_t n, char *dst)
{
    for (ptrdiff_t e = 0; e < n; e += LANES)
        for (ptrdiff_t r = 0; r < high; r += LANES) {
            FN(plane) v[LANES];
            for (int i = 0; i < LANES; i++)
                v[i] = FN(load)(src + numpool_min(r + i, rows - 1) * pitch + e * ACC_SIZE);
            FN(turn)(v);
            for (int i = 0; i < LANES; i++)
                memcpy(dst + ((e + i) * high + r) * ACC_SIZE, &v[i], sizeof v[i]);
        }
}

/* The reverse, of the elements of pixels `stride` apart. */
static __attribute__((noinline)) void FN(turn_out)(const char *src, ptrdiff_t high, ptrdiff_t stride, ptrdiff_t lanes,
                                                   ptrdiff_t rows, ptrdiff_t n, char *dst, ptrdiff_t pitch)
{
    for (ptrdiff_t e = 0; e < n; e += LANES) {
        ptrdiff_t from[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            const ptrdiff_t c = stride == 1 ? 0 : numpool_min(e + i, n - 1) / lanes;
            from[i] = (numpool_min(e + i, n - 1) + c * (stride - 1) * lanes) * high * ACC_SIZE;
        }
        for (ptrdiff_t r = 0; r < rows; r += LANES) {
            FN(plane) v[LANES];
            for (int i = 0; i < LANES; i++)
                v[i] = FN(load)(src + from[i] + r * ACC_SIZE);
            FN(turn)(v);
            for (int i = 0; i < numpool_min(rows - r, LANES); i++)
                memcpy(dst + (r + i) * pitch + e * ACC_SIZE, &v[i], numpool_min(n - e, LANES) * ACC_SIZE);
        }
    }
}

/* Bytes of scratch for `columns` of pixels that are turned, one part of an accumulator. */
ALWAYS_INLINE ptrdiff_t FN(turned_bytes)(ptrdiff_t columns, ptrdiff_t lanes)
{
    return lanes < LANES ? (columns * lanes + LANES) * 2 * VECTOR_BYTES : 0;
}

/* Rows [first, last) of sums across, to the output; results has room for 2 * LANES rows. */
static void FN(run_across)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t first, ptrdiff_t last,
                           const char *sums, ptrdiff_t pitch, ptrdiff_t apart, char *results, ptrdiff_t out_pitch,
                           char *out, char *turned)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0, stride = job->w.stride;
    numpool_axis axis = job->w; /* all positions that this tile's windows read are there */
    axis.before = tile->col0 * stride;
    axis.in = (cols - 1) * stride + axis.kernel;
    const ptrdiff_t turned_apart = FN(turned_bytes)(axis.in, lanes);
    for (ptrdiff_t r = first, some; r < last; r += some, sums += some * pitch, out += some * job->y.row) {
        some = numpool_min(last - r, 2 * LANES);
        if (lanes >= LANES) {
            numpool_fold f = {.n = lanes, .step = lanes * ACC_SIZE, .dst_pitch = lanes * ACC_SIZE, .src_apart = apart,
                              .dst_apart = apart};
            for (ptrdiff_t i = 0; i < some; i++) {
                f.src = sums + i * pitch;
                f.dst = results + i * out_pitch;
                FN(run_on)(&f, &axis, tile->col0, tile->col1);
            }
        } else {
            const ptrdiff_t high = some > LANES ? 2 * LANES : LANES, step = lanes * high * ACC_SIZE;
            numpool_fold f = {.n = lanes * high, .step = step, .dst_pitch = stride * step, .src = turned, .dst = turned,
                              .src_apart = turned_apart, .dst_apart = turned_apart};
            for (ptrdiff_t part = 0; part < PARTS; part++)
                FN(turn_in)(sums + part * apart, pitch, some, high, axis.in * lanes, turned + part * turned_apart);
            FN(run_on)(&f, &axis, tile->col0, tile->col1);
            for (ptrdiff_t part = 0; part < PARTS; part++)
                FN(turn_out)(turned + part * turned_apart, high, stride, lanes, some, cols * lanes,
                             results + part * apart, out_pitch);
        }
        FN(finish)(job, tile, r, r + some, results, out_pitch, apart, out);
    }
}
