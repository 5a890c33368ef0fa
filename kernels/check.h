/* Template: the pass CHECK of extremum_backward.h: looks at the indices of some output rows and writes nothing.
 * After scatter.h, whose taps of a row it looks at. */

/* Whether one of n positions that count pixels lies outside the plane. */
static int FN(outside)(const char *index, ptrdiff_t n, int64_t zero, uint64_t span)
{
    const int64_t *at = (const int64_t *)(const void *)index;
    int bad = 0;
    if (zero == 0)
        return numpool_outside(at, n, (int64_t)span);
    for (ptrdiff_t i = 0; i < n; i++)
        bad |= ((uint64_t)at[i] - (uint64_t)zero >= span) & (at[i] != -1);
    return bad;
}

/* Whether one of n bytes is no tap of any window. */
static int FN(no_tap)(const char *index, ptrdiff_t n, ptrdiff_t taps)
{
    const uint8_t *tap = (const uint8_t *)index, last = (uint8_t)(taps - 1);
    uint8_t bad = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        bad |= (tap[i] > last) & (tap[i] != UINT8_MAX);
    return bad;
}

static ptrdiff_t FN(check_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t most = numpool_max(NUMPOOL_RUN, job->lanes);
    const uint64_t span = (uint64_t)(job->h.in * job->position.row);
    const int by_pixels = FN(counts_pixels)(job), bytes = job->window_index && job->index_size == 1;
    const int flat = FN(is_flat)(job) && tile->lane1 - tile->lane0 == job->lanes;
    if (!scratch)
        return sizeof(FN(taps)) + most * (4 + sizeof(ptrdiff_t));
    FN(taps) *taps = (FN(taps) *)(void *)scratch;
    ptrdiff_t *place = (ptrdiff_t *)(void *)(taps + 1), first, last;
    int32_t *numbers = (int32_t *)(void *)(place + most);
    int bad = 0;
    int inside = 0; /* all windows: then any tap will do, and where it lies is not asked */
    if (bytes) {
        FN(find_interior)(job, taps);
        inside = taps->top == 0 && taps->bottom == job->h.out && taps->left == 0 && taps->right == job->w.out;
        if (!inside)
            FN(fill_taps)(job, 1, 1, taps);
    }
    const int all = job->leads == 1 && job->position.lead[0] == 0 && job->index.lead[0] == job->h.out * job->index.row;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / job->h.out, r = row % job->h.out;
        FN(piece) piece = FN(row_at)(job, tile, plane, r);
        next = row + 1;
        if (by_pixels && flat) {
            next = all ? tile->row1 : numpool_min(tile->row1, row - r + job->h.out);
            bad |= FN(outside)(piece.index, (next - row) * job->w.out * job->lanes, piece.zero, span);
            continue;
        }
        if (inside && flat) {
            next = numpool_min(tile->row1, row - r + job->h.out);
            bad |= FN(no_tap)(piece.index, (next - row) * job->w.out * job->lanes, job->h.kernel * job->w.kernel);
            continue;
        }
        do {
            if (by_pixels) {
                bad |= FN(outside)(piece.index, piece.n, piece.zero, span);
            } else if (bytes) {
                FN(find_inside)(taps, &piece, &first, &last);
                bad |= FN(add_edge_taps)(job, &piece, 0, first, taps->at, 0, NULL);
                bad |= FN(no_tap)(piece.index + first, last - first, job->h.kernel * job->w.kernel);
                bad |= FN(add_edge_taps)(job, &piece, last, piece.n, taps->at, 0, NULL);
            } else {
                bad |= FN(places)(job, &piece, 1, 1, numbers, place);
            }
        } while (FN(advance)(job, &piece));
    }
    return bad ? NUMPOOL_BAD : 0;
}
