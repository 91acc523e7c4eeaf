/* What a shared libshmreg shows: everything marked so, and nothing else. C and C++. */
#ifndef SHMREG_API_H
#define SHMREG_API_H

#if defined(__GNUC__)
#define SHMREG_API __attribute__((visibility("default")))
#else
#define SHMREG_API
#endif

#endif
