/* What every processor runs: 16-byte vectors (SSE2; NEON on aarch64). */
#define LEVEL baseline
#define VECTOR_BYTES 16
#define LANES_1 16
#define LANES_2 8
#define LANES_4 4
#define LANES_8 2
#include "level.h"
