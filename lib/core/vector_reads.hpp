// Whether shared words may be read two at a time: on x86-64, where the argument beside each such
// read holds, and not under ThreadSanitizer, which follows only the atomic way.
#pragma once

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#define SHMREG_VECTOR_READS 1
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef SHMREG_VECTOR_READS
#endif
#endif
#endif

#if defined(SHMREG_VECTOR_READS)
#include <emmintrin.h>
#endif
