/* Template: `down` of many taps and at least a vector: eight rows after eight are read from end to end (all pixels of them,
 * where those lie apart and are the fold's rows), what they are so far in dst. The order is the one of fold.h, whose words
 * for the stage `down` the includer has still defined. */
static __attribute__((noinline)) void FN(down_tall)(const numpool_fold *given)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t together = f->src_pitch < f->step ? f->rows : 1;
    numpool_fold last = copy;
    for (ptrdiff_t first = 0; first < f->rows; first += together)
        for (ptrdiff_t t = 0; t < f->taps; t += 8) {
            const int some = (int)numpool_min(f->taps - t, 8);
            for (ptrdiff_t r = first; r < first + together; r++) {
                const char *const p = f->src + r * f->src_pitch + t * f->step;
                char *const d = f->dst + r * f->dst_pitch;
                for (ptrdiff_t i = 0; i + LANES <= f->n; i += LANES) {
                    STAGE_TYPE all = some == 8 ? WIDEN(FN(down_tree)(p + i * ELEM_SIZE, t, f->step, 8, f))
                                               : WIDEN(FN(down_tree)(p + i * ELEM_SIZE, t, f->step, some, f));
                    if (t)
                        all = STEP_STAGE(FN(load_parts)(d + i * ACC_SIZE, f->dst_apart), all);
                    FN(store)(d + i * ACC_SIZE, all, f->dst_apart);
                }
            }
        }
    if (f->n % LANES == 0)
        return;
    last.src += (f->n - LANES) * ELEM_SIZE; /* overlaps the vector before it */
    last.dst += (f->n - LANES) * ACC_SIZE;
    last.n = LANES;
    FN(down)(&last);
}
