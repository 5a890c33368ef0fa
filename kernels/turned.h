/* Template: running sums across rows of pixels shorter than a vector. LANES rows at a time are turned, so that a vector
 * holds the same element of each: what ran down runs across. The includer defines the stage `run_on`
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

/* Not from an array, which GCC would keep in memory. */
ALWAYS_INLINE void FN(put_plane)(char *p, FN(plane) x) { memcpy(p, &x, sizeof x); }

/* The first n elements of `rows` rows, `step` bytes from one to the next; the rows missing to LANES are like the last. */
static __attribute__((noinline)) void FN(turn_in)(const char *src, ptrdiff_t pitch, ptrdiff_t rows, ptrdiff_t n,
                                                  char *dst, ptrdiff_t step)
{
    for (ptrdiff_t e = 0; e < n; e += LANES) {
        FN(plane) v[LANES];
        for (int i = 0; i < LANES; i++)
            v[i] = FN(load)(src + numpool_min(i, rows - 1) * pitch + e * ACC_SIZE);
        FN(turn)(v);
        for (int i = 0; i < LANES; i++)
            FN(put_plane)(dst + (e + i) * step, v[i]);
    }
}

/* Where element e of the results lies among the turned ones, of which windows start `stride` pixels apart. */
ALWAYS_INLINE ptrdiff_t FN(turned_at)(ptrdiff_t e, ptrdiff_t stride, ptrdiff_t lanes)
{
    return stride == 1 ? e : e + e / lanes * (stride - 1) * lanes;
}

/* The reverse, of the elements of pixels `stride` apart. */
static __attribute__((noinline)) void FN(turn_out)(const char *src, ptrdiff_t step, ptrdiff_t stride, ptrdiff_t lanes,
                                                   ptrdiff_t rows, ptrdiff_t n, char *dst, ptrdiff_t pitch)
{
    for (ptrdiff_t e = 0; e < n; e += LANES) {
        FN(plane) v[LANES];
        for (int i = 0; i < LANES; i++)
            v[i] = FN(load)(src + FN(turned_at)(numpool_min(e + i, n - 1), stride, lanes) * step);
        FN(turn)(v);
        if (e + LANES <= n && rows == LANES)
            for (int i = 0; i < LANES; i++)
                FN(put_plane)(dst + i * pitch + e * ACC_SIZE, v[i]);
        else
            for (int i = 0; i < rows; i++)
                memcpy(dst + i * pitch + e * ACC_SIZE, &v[i], numpool_min(n - e, LANES) * ACC_SIZE);
    }
}

#if IN_PAIRS
/* The same with the division, of doubles to floats in the output: half as much to turn and to store. */
static __attribute__((noinline)) void FN(turn_out_floats)(const char *src, ptrdiff_t step, ptrdiff_t stride,
                                                          ptrdiff_t lanes, ptrdiff_t rows, ptrdiff_t n, double factor,
                                                          char *dst, ptrdiff_t pitch)
{
    for (ptrdiff_t e = 0; e < n; e += LANES) {
        FN(half) v[LANES], w[LANES];
        for (int i = 0; i < LANES; i++)
            v[i] = FN(narrow)(FN(load)(src + FN(turned_at)(numpool_min(e + i, n - 1), stride, lanes) * step) * factor);
        for (int done = 1; done < LANES; done *= 2) {
            for (int i = 0; i < LANES / 2; i++) {
                w[i] = SHUFFLE(FN(half_bits), v[2 * i], v[2 * i + 1], COUNT_BY_2(LANES, 0));
                w[i + LANES / 2] = SHUFFLE(FN(half_bits), v[2 * i], v[2 * i + 1], COUNT_BY_2(LANES, 1));
            }
            for (int i = 0; i < LANES; i++)
                v[i] = w[i];
        }
        if (e + LANES <= n && rows == LANES)
            for (int i = 0; i < LANES; i++)
                memcpy(dst + i * pitch + e * 4, &v[i], sizeof v[i]);
        else
            for (int i = 0; i < rows; i++)
                memcpy(dst + i * pitch + e * 4, &v[i], numpool_min(n - e, LANES) * 4);
    }
}
#endif

/* Vectors of rows that are turned together: a sum waits for the one before it, so that two at least should run. */
ALWAYS_INLINE ptrdiff_t FN(turned_high)(ptrdiff_t lanes) { return lanes == 1 ? 2 : 1; }

/* Bytes of scratch for `columns` of pixels that are turned, one part of an accumulator. */
ALWAYS_INLINE ptrdiff_t FN(turned_bytes)(ptrdiff_t columns, ptrdiff_t lanes)
{
    return lanes < LANES ? (columns * lanes + LANES) * FN(turned_high)(lanes) * VECTOR_BYTES : 0;
}

/* The horizontal stage where a row of single lanes is one window: LANES rows at once, in the order of `across`. */
static __attribute__((noinline)) void FN(turned_rows)(const numpool_fold *f, char *turned)
{
    char sums[PARTS * VECTOR_BYTES];
    numpool_fold g = *f;
    g.src = turned;
    g.src_apart = FN(turned_bytes)(f->taps, 1);
    g.step = VECTOR_BYTES;
    g.dst = sums;
    g.dst_apart = VECTOR_BYTES;
    g.rows = 1;
    g.n = LANES;
    for (ptrdiff_t r = 0, some; r < f->rows; r += some) {
        some = numpool_min(f->rows - r, LANES);
        for (ptrdiff_t part = 0; part < PARTS; part++)
            FN(turn_in)(f->src + r * f->src_pitch + part * f->src_apart, f->src_pitch, some, f->taps,
                        turned + part * g.src_apart, VECTOR_BYTES);
        FN(across)(&g);
        for (ptrdiff_t part = 0; part < PARTS; part++)
            memcpy(f->dst + r * ACC_SIZE + part * f->dst_apart, sums + part * VECTOR_BYTES, some * ACC_SIZE);
    }
}

/* Whether rows of sums are scanned as they lie (scan.h). */
ALWAYS_INLINE int FN(scans)(const numpool_job *job, ptrdiff_t lanes)
{
#ifdef SCANS
    return lanes < LANES && job->w.stride == 1;
#else
    (void)job, (void)lanes;
    return 0;
#endif
}

/* Rows [first, last) of sums across, to the output; results has room for LANES rows. */
static void FN(run_across)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t first,
                           ptrdiff_t last, const char *sums, ptrdiff_t pitch, ptrdiff_t apart, char *results, ptrdiff_t out_pitch,
                           char *out, char *turned)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0, stride = job->w.stride;
    numpool_axis axis = job->w; /* all positions that this tile's windows read are there */
    axis.before = tile->col0 * stride;
    axis.in = (cols - 1) * stride + axis.kernel;
    if (lanes >= LANES) {
        numpool_fold f = {.n = lanes, .step = lanes * ACC_SIZE, .src = sums, .src_apart = apart, .dst = results,
                          .dst_apart = apart, .dst_pitch = lanes * ACC_SIZE};
        for (ptrdiff_t r = first; r < last; r++, f.src += pitch, out += job->y.row) {
            FN(run_on)(&f, &axis, tile->col0, tile->col1, 0);
            FN(finish)(job, tile, plane, r, r + 1, results, out_pitch, apart, out);
        }
        return;
    }
#ifdef SCANS
    if (FN(scans)(job, lanes)) {
        numpool_fold f = {.n = lanes, .step = lanes * ACC_SIZE, .taps = axis.kernel, .src_pitch = pitch, .dst = results,
                          .dst_pitch = out_pitch, .job = job};
        for (ptrdiff_t r = first; r < last; r += f.rows, out += f.rows * job->y.row) {
            f.rows = numpool_min(last - r, LANES);
            f.src = sums + (r - first) * pitch;
            FN(scan)(&f, cols * lanes);
            FN(finish)(job, tile, plane, r, r + f.rows, results, out_pitch, 0, out);
        }
        return;
    }
#endif
    const ptrdiff_t turned_apart = FN(turned_bytes)(axis.in, lanes);
    for (ptrdiff_t r = first, some; r < last; r += some) {
        const ptrdiff_t high = last - r > LANES ? FN(turned_high)(lanes) : 1, step = high * VECTOR_BYTES;
        const numpool_fold f = {.n = lanes * high * LANES, .step = lanes * step, .dst_pitch = stride * lanes * step,
                                .src = turned, .dst = turned, .src_apart = turned_apart, .dst_apart = turned_apart};
        some = numpool_min(last - r, high * LANES);
        for (ptrdiff_t part = 0; part < PARTS; part++)
            for (ptrdiff_t g = 0; g < high; g++)
                FN(turn_in)(sums + g * LANES * pitch + part * apart, pitch, numpool_min(some - g * LANES, LANES),
                            axis.in * lanes, turned + part * turned_apart + g * VECTOR_BYTES, step);
        FN(run_on)(&f, &axis, tile->col0, tile->col1, 0);
        for (ptrdiff_t g = 0; g < high; g++, sums += LANES * pitch, out += LANES * job->y.row) {
            const ptrdiff_t rows = numpool_min(some - g * LANES, LANES), n = cols * lanes;
            const char *from = turned + g * VECTOR_BYTES;
#if IN_PAIRS
            if (job->out_code == OUT_FLOAT32 && job->divisor && job->y.pixel == lanes * 4) {
                FN(turn_out_floats)(from, step, stride, lanes, rows, n, 1 / (double)job->divisor, out, job->y.row);
                continue;
            }
#endif
            for (ptrdiff_t part = 0; part < PARTS; part++)
                FN(turn_out)(from + part * turned_apart, step, stride, lanes, rows, n, results + part * apart, out_pitch);
            FN(finish)(job, tile, plane, r + g * LANES, r + g * LANES + rows, results, out_pitch, apart, out);
        }
    }
}
