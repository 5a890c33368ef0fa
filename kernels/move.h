/* Elements moved by index, whatever their type: to the places that the indices name (unpooling), or from them (its
 * gradient). An index is a position in its own plane, or -1 for none; nothing is used as an address before it has been
 * compared with the size of the plane. */
#ifndef NUMPOOL_MOVE_H
#define NUMPOOL_MOVE_H
#include "lanes.h"

#define MOVE_CLEARED 16384 /* bytes that are cleared at once, before elements move there */
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

/* One part of a call, as team.h hands them out. */
static int numpool_move_part(void *given, ptrdiff_t part, ptrdiff_t thread)
{
    const numpool_move *m = given;
    const ptrdiff_t first = part * m->planes / m->parts, last = (part + 1) * m->planes / m->parts;
    const ptrdiff_t row = m->count * m->lanes;
    (void)thread;
    if (!m->to) return numpool_outside(m->index + first * row, (last - first) * row, m->plane);
    switch (m->size) {
    case 1: return numpool_move_uint8_t(m, first, last);
    case 2: return numpool_move_uint16_t(m, first, last);
    case 4: return numpool_move_uint32_t(m, first, last);
    default: return numpool_move_uint64_t(m, first, last);
    }
}
#endif
