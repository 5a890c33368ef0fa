/* Elements moved by index, whatever their type: to the places that the indices name (unpooling), or from them (its
 * gradient). One source for all levels: a scatter has nothing that longer vectors would make faster.
 *
 * Arrays lie without gaps as (planes, positions, lanes). An index is a position in its own plane, or -1 for none; nothing
 * is used as an address before it has been compared with the size of the plane. */
#ifndef NUMPOOL_MOVE_H
#define NUMPOOL_MOVE_H
#include "job.h"
#include "lanes.h"

typedef struct {
    ptrdiff_t planes, count, plane, lanes, size; /* indices a plane and lane; positions a plane; bytes of an element */
    const int64_t *index;
    const char *from;
    char *to; /* NULL: the indices are looked at and nothing is moved */
    int gather;
    ptrdiff_t parts;
} numpool_move;

typedef int64_t numpool_move_longs __attribute__((vector_size(16)));

/* Some indices as they are now, for they may change while they are used. Returns whether all are places. */
ALWAYS_INLINE int numpool_move_read(const int64_t *index, int64_t plane, int64_t *at)
{
    numpool_move_longs doubt = {0}, own;
    for (int i = 0; i < NUMPOOL_TOGETHER; i += 2) {
        memcpy(&own, index + i, sizeof own);
        doubt |= own | (plane - 1 - own);
        memcpy(at + i, &own, sizeof own);
    }
    return (doubt[0] | doubt[1]) >= 0;
}

#define NUMPOOL_MOVE_JOIN(type) numpool_move_##type
#define NUMPOOL_MOVE_NAME(type) NUMPOOL_MOVE_JOIN(type)
#define MOVED uint8_t
#include "move_type.h"
#define MOVED uint16_t
#include "move_type.h"
#define MOVED uint32_t
#include "move_type.h"
#define MOVED uint64_t
#include "move_type.h"

/* Whether one of n indices is neither a place nor -1: its successor is below 0 or above the number of places. */
static int numpool_move_look(const int64_t *index, ptrdiff_t n, uint64_t plane)
{
    uint64_t doubt = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t next = (uint64_t)index[i] + 1;
        doubt |= next | (plane - next);
    }
    return (int)(doubt >> 63);
}

/* One part of a call, as team.h hands them out. */
static int numpool_move_part(void *given, ptrdiff_t part, ptrdiff_t thread)
{
    const numpool_move *m = given;
    const ptrdiff_t first = part * m->planes / m->parts, last = (part + 1) * m->planes / m->parts;
    const ptrdiff_t row = m->count * m->lanes;
    (void)thread;
    if (!m->to) return numpool_move_look(m->index + first * row, (last - first) * row, (uint64_t)m->plane);
    switch (m->size) {
    case 1: return numpool_move_uint8_t(m, first, last);
    case 2: return numpool_move_uint16_t(m, first, last);
    case 4: return numpool_move_uint32_t(m, first, last);
    default: return numpool_move_uint64_t(m, first, last);
    }
}
#endif
