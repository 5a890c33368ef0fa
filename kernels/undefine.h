/* The end of a template: the words that its includer of the next dtype defines anew. */
#undef ACC
#undef ACC_SIZE
#undef LANES
#undef PARTS
#undef OUT_SIZE
#undef DIRECT
#undef WIDEN
#undef STEP
#undef STEP_STAGE
#undef TREE_TYPE
#undef STAGE_TYPE
#undef IDENTITY
#undef KEY_OFFSET
#undef PREFETCH
#undef OPERATION_OF_KEYS
#undef LAST
#undef LAST2
