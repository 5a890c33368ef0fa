/* Template: the ways of slide.h for windows of SLIDE_KERNEL x SLIDE_KERNEL, of which neighbours in a row share all
 * but SLIDE_HOP columns (the stride; where they share none, the kernel). Of 5 x 5 there are narrow rows alone. */
#define NAME_(kind) NUMPOOL_JOIN(FN(kind), SLIDE_KERNEL, SLIDE_HOP)
#define SLIDE_KEPT (SLIDE_KERNEL - SLIDE_HOP) /* columns that a window shares with the next */
#if SLIDE_KERNEL <= 3
#include "slide_single.h"
#include "slide_many.h"
#endif
#if LANES >= 8
#include "slide_narrow.h"
#endif

/* Rows of single lanes. */
static void NAME_(rows)(const FN(sliding) *s)
{
#if LANES >= 8
    const ptrdiff_t units = FN(narrow_units)(s->job, s->tile), windows = FN(unit_windows)(SLIDE_UNIT, SLIDE_KERNEL, SLIDE_HOP);
#if SLIDE_HOP == 2
    if (units && s->tile->col1 - s->tile->col0 <= FN(unit_windows)(1, SLIDE_KERNEL, SLIDE_HOP)) {
        NAME_(narrow_half)(s);
        return;
    }
#endif
    for (ptrdiff_t u = 0; u < units; u += NUMPOOL_NARROW)
        NAME_(narrow_units)(s, u * windows, numpool_min(units - u, NUMPOOL_NARROW), units <= NUMPOOL_NARROW);
    if (units)
        return;
#undef SLIDE_UNIT
#undef SLIDE_DOUBLES
#endif
#if SLIDE_KERNEL <= 3
    NAME_(single)(s);
#endif
}
#undef NAME_
#undef SLIDE_KEPT
#undef SLIDE_KERNEL
#undef SLIDE_HOP
