/* The end of one dtype of the list. */
#undef DTYPE
#undef ELEM
#undef ELEM_SIZE
#undef KIND
#undef LOWEST
#undef HIGHEST
#undef INFINITY_BITS
#undef HALF_LOAD
#undef HALF_STORE
#undef UNSIGNED
#undef OWN_OUT
