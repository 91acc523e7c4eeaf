// What the tests are built with, for those that a sanitizer makes slower or impossible.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHMREG_TESTS_TSAN 1
#elif __has_feature(address_sanitizer)
#define SHMREG_TESTS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SHMREG_TESTS_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define SHMREG_TESTS_ASAN 1
#endif

namespace shmreg::test {

#if defined(SHMREG_TESTS_TSAN)
inline constexpr bool kUnderTsan = true;
#else
inline constexpr bool kUnderTsan = false;
#endif
#if defined(SHMREG_TESTS_ASAN)
inline constexpr bool kUnderAsan = true;
#else
inline constexpr bool kUnderAsan = false;
#endif
inline constexpr bool kSanitized = kUnderTsan || kUnderAsan;

}  // namespace shmreg::test
