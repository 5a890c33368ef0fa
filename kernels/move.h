/* Elements moved by index, whatever their type: to the places that the indices name (unpooling), or from them (its
 * gradient). One source for all levels: a scatter has nothing that longer vectors would make faster.
 *
 * Arrays lie without gaps as (planes, positions, lanes). An index is a position in its own plane, or -1 for none; nothing
 * is used as an address before it has been compared with the size of the plane. */
#ifndef NUMPOOL_MOVE_H
#define NUMPOOL_MOVE_H
#include <string.h>
#include "job.h"

typedef struct {
    ptrdiff_t planes, count, plane, lanes, size; /* indices a plane and lane; positions a plane; bytes of an element */
    const int64_t *index;
    const char *from;
    char *to;
    int gather;
    ptrdiff_t parts;
} numpool_move;

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
    (void)thread;
    switch (m->size) {
    case 1: return numpool_move_uint8_t(m, first, last);
    case 2: return numpool_move_uint16_t(m, first, last);
    case 4: return numpool_move_uint32_t(m, first, last);
    default: return numpool_move_uint64_t(m, first, last);
    }
}
#endif
