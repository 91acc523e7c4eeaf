/* The C interface of shmreg: attach to a segment, register services, find them. shmreg(3) has an
 * entry for each function; what an operation does and promises stands in shmreg/registry.hpp and
 * shmreg(7), which this interface adds nothing to.
 *
 *   shmreg_registry *registry;
 *   shmreg_registration *mine;
 *   shmreg_error error = {.size = sizeof error};
 *   shmreg_spec spec = {.size = sizeof spec};
 *   spec.endpoint = shmreg_text_of("tcp://127.0.0.1:4000");
 *   if (shmreg_attach("default", 7, NULL, &registry, &error) != SHMREG_OK ||
 *       shmreg_register(registry, "production/config_server", 24, &spec, NULL, &mine, &error) !=
 *           SHMREG_OK)
 *     fprintf(stderr, "%s\n", error.message);
 *
 * Made to be bound from any language:
 *   - A name is a pointer and a length in bytes; it need not end in a NUL. A null pointer is an
 *     empty name.
 *   - Every function that can fail returns an `enum shmreg_code`; 0 is success. Its last parameter,
 *     which may be null, takes the code and a message of one line.
 *   - A structure of options or of an answer begins with its own size, which the caller sets:
 *     sizeof it. Members that a caller's does not have yet count as 0, the default of each; those
 *     that this library does not know must be 0. A null pointer to options means all defaults.
 *     Of rows in an array the size is a parameter. shmreg_text, _pair, _namespace never change.
 *   - What is returned goes into the caller's memory: a shmreg_buffer {data, capacity, 0}, aligned
 *     as malloc does. Texts in it are followed by a NUL that their size does not count, and live as
 *     long as it does. Where it is too small: SHMREG_BUFFER_TOO_SMALL, `needed` says how much would
 *     do, nothing is lost, and the call can be made again.
 *   - Handles are opaque, and freed by the function named with them. None is an object of another.
 *   - No exception leaves it. No function is a cancellation point (pthread_cancel(3)).
 *
 * Thread safety: a shmreg_registry may be used by any number of threads at once; every other handle
 * by one at a time, but for the _cancel functions. Times are in nanoseconds: `_at_ns` since
 * 1970-01-01 UTC, timeouts as they say. fork(2), exec(2), signals: shmreg/registry.hpp.
 */
#ifndef SHMREG_H
#define SHMREG_H

#include <stddef.h>
#include <stdint.h>

#include "shmreg/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- codes, texts, buffers ----------------------------------------------------------------- */

enum shmreg_code {
  SHMREG_OK = 0,
  SHMREG_NOT_FOUND = 1,
  SHMREG_ALREADY_REGISTERED = 2,
  SHMREG_NOT_OWNER = 3,
  SHMREG_INVALID_NAME = 4,
  SHMREG_INVALID_ARGUMENT = 5,
  SHMREG_OWNER_NOT_ALIVE = 6,
  SHMREG_REGISTRATION_LOST = 7,
  SHMREG_NO_SUCH_SEGMENT = 8,
  SHMREG_SEGMENT_EXISTS = 9,
  SHMREG_SEGMENT_IN_USE = 10,
  SHMREG_SEGMENT_RETIRED = 11,
  SHMREG_INCOMPATIBLE = 12,
  SHMREG_CORRUPT = 13,
  SHMREG_PERMISSION_DENIED = 14,
  SHMREG_UNTRUSTED_OWNER = 15,
  SHMREG_SEGMENT_FULL = 16,
  SHMREG_PROCESS_TABLE_FULL = 17,
  SHMREG_NO_SPACE = 18,
  SHMREG_TIMED_OUT = 19,
  SHMREG_CANCELLED = 20,
  SHMREG_INTERRUPTED = 21,
  SHMREG_BUSY = 22,
  SHMREG_NESTED_CALL = 23,
  SHMREG_UNSUPPORTED = 24,
  SHMREG_SYSTEM_ERROR = 25,
  /* Of this interface alone. */
  SHMREG_BUFFER_TOO_SMALL = 100,
  SHMREG_OUT_OF_MEMORY = 101
};

typedef struct shmreg_text {
  const char* data;
  size_t size; /* bytes */
} shmreg_text;

typedef struct shmreg_pair {
  shmreg_text key;
  shmreg_text value;
} shmreg_pair;

typedef struct shmreg_buffer {
  void* data;
  size_t capacity; /* bytes */
  size_t needed;   /* out: what the answer takes */
} shmreg_buffer;

typedef struct shmreg_error {
  size_t size; /* sizeof(shmreg_error), set by the caller */
  int code;
  char message[500]; /* one line; cut at a character where it is longer */
} shmreg_error;

/* Of a text that ends in a NUL. */
static inline shmreg_text shmreg_text_of(const char* text) {
  shmreg_text whole;
  whole.data = text;
  whole.size = 0;
  while (text && text[whole.size]) ++whole.size;
  return whole;
}

/* The library's version, "0.1.0". Static storage. */
SHMREG_API const char* shmreg_version(void);
/* The same as a number: major * 1000000 + minor * 1000 + patch. */
SHMREG_API uint32_t shmreg_version_number(void);
/* The fixed sentence for a code. Static storage. */
SHMREG_API const char* shmreg_describe(int code);

/* For programs with a SIGBUS handler of their own: shmreg/bus_error.hpp. `siginfo` is the
 * siginfo_t * that the handler was given. 1 if the fault was in a segment of this process and has
 * been dealt with, else 0. Async-signal-safe. */
SHMREG_API int shmreg_handle_sigbus(const void* siginfo);

/* --- segments ------------------------------------------------------------------------------ */

typedef struct shmreg_create_options {
  size_t size;
  uint64_t max_size_bytes; /* 0: 1 GiB */
  uint32_t partitions;     /* 0: 64, or more on many CPUs */
  uint32_t max_processes;  /* 0: 1024 */
  uint32_t initial_slots;  /* 0: 512 */
  uint32_t mode;           /* 0: 0600 */
  int32_t has_group;       /* else the creator's */
  uint32_t group;
  int32_t reserve;
  int32_t if_missing; /* a segment that is there is a success */
} shmreg_create_options;

typedef struct shmreg_trust_options {
  size_t size;
  const uint32_t* owners; /* user ids whose segments to accept, besides root's and one's own */
  size_t owner_count;
} shmreg_trust_options;

/* *created (may be null): 1 if it created, 0 if it was there. */
SHMREG_API int shmreg_create_segment(const char* segment, size_t segment_size,
                                     const shmreg_create_options* options, int* created,
                                     shmreg_error* error);
/* *services (may be null): how many were registered. */
SHMREG_API int shmreg_destroy_segment(const char* segment, size_t segment_size, int force,
                                      const shmreg_trust_options* trust, uint64_t* services,
                                      shmreg_error* error);

typedef struct shmreg_segment {
  uint64_t bytes_used;
  uint64_t bytes_limit; /* 0 where the header was not readable */
  uint32_t owner;
  uint32_t group;
  uint32_t mode;
  uint32_t processes;
  int32_t problem; /* a code: why it cannot be attached; 0 where it can */
  char name[68];
} shmreg_segment;
/* All of this host, at most `capacity` rows of `row_size` = sizeof(shmreg_segment) bytes.
 * *count: how many there are, also where that is more (SHMREG_BUFFER_TOO_SMALL). */
SHMREG_API int shmreg_segments(shmreg_segment* rows, size_t row_size, size_t capacity,
                               size_t* count, shmreg_error* error);

typedef struct shmreg_report shmreg_report;
typedef struct shmreg_problem {
  size_t size;
  int32_t repairable;
  shmreg_text where;
  shmreg_text what;
} shmreg_problem;
/* Examines a segment, whatever bytes it holds. *problems: how many. */
SHMREG_API int shmreg_doctor(const char* segment, size_t segment_size,
                             const shmreg_trust_options* trust, shmreg_report** report,
                             size_t* problems, shmreg_error* error);
SHMREG_API int shmreg_report_problem(const shmreg_report* report, size_t index,
                                     shmreg_problem* problem, shmreg_buffer* buffer,
                                     shmreg_error* error);
SHMREG_API void shmreg_report_free(shmreg_report* report);

/* --- attaching ----------------------------------------------------------------------------- */

typedef struct shmreg_registry shmreg_registry;

enum shmreg_access { SHMREG_PREFER_WRITE = 0, SHMREG_READ_WRITE = 1, SHMREG_READ_ONLY = 2 };

typedef struct shmreg_attach_options {
  size_t size;
  uint32_t access;                     /* enum shmreg_access */
  int32_t no_sigbus_handler;           /* leave this process's SIGBUS handler alone */
  int64_t lock_timeout_ns;             /* 0: 5 s; below 0: not at all */
  const shmreg_trust_options* trust;   /* may be null */
  const shmreg_create_options* create; /* not null: create the segment where it is missing */
} shmreg_attach_options;

SHMREG_API int shmreg_attach(const char* segment, size_t segment_size,
                             const shmreg_attach_options* options, shmreg_registry** registry,
                             shmreg_error* error);
/* Other handles that came of it go on. Null does nothing, here and in every _free. */
SHMREG_API void shmreg_detach(shmreg_registry* registry);
SHMREG_API int shmreg_writable(const shmreg_registry* registry);

/* --- registering --------------------------------------------------------------------------- */

typedef struct shmreg_registration shmreg_registration;

typedef struct shmreg_spec {
  size_t size;
  shmreg_text endpoint;
  const shmreg_pair* metadata;
  size_t metadata_count;
  const shmreg_text* tags;
  size_t tag_count;
  const shmreg_text* depends;
  size_t depend_count;
  const shmreg_text* wants;
  size_t want_count;
} shmreg_spec;

typedef struct shmreg_register_options {
  size_t size;
  int32_t replace;
  int32_t shared;
} shmreg_register_options;

/* For this process. The handle unregisters when it is freed. */
SHMREG_API int shmreg_register(shmreg_registry* registry, const char* service, size_t service_size,
                               const shmreg_spec* spec, const shmreg_register_options* options,
                               shmreg_registration** registration, shmreg_error* error);
SHMREG_API uint64_t shmreg_registration_id(const shmreg_registration* registration);
/* 1 while the name is this registration's. */
SHMREG_API int shmreg_registration_holds(const shmreg_registration* registration);
/* For poll(2): readable once it no longer is. */
SHMREG_API int shmreg_registration_loss_descriptor(shmreg_registration* registration,
                                                   int* descriptor, shmreg_error* error);
SHMREG_API int shmreg_registration_update(shmreg_registration* registration,
                                          const shmreg_spec* spec, shmreg_error* error);
/* *removed (may be null): 1 if it was still registered. */
SHMREG_API int shmreg_registration_unregister(shmreg_registration* registration, int* removed,
                                              shmreg_error* error);
/* Leaves the service registered for as long as this process lives, and frees the handle. */
SHMREG_API void shmreg_registration_release(shmreg_registration* registration);
SHMREG_API void shmreg_registration_free(shmreg_registration* registration);

typedef struct shmreg_bulk_item {
  shmreg_text service;
  const shmreg_spec* spec;                /* may be null */
  const shmreg_register_options* options; /* may be null */
  shmreg_registration* registration;      /* out: null where it was refused */
  int32_t code;                           /* out */
} shmreg_bulk_item;
/* An answer for each, in order; one that is refused undoes nothing. SHMREG_OK where all are
 * registered, else the code and message of the first that is not. `item_size`:
 * sizeof(shmreg_bulk_item), or the call is refused and no item touched. */
SHMREG_API int shmreg_register_many(shmreg_registry* registry, shmreg_bulk_item* items,
                                    size_t item_size, size_t count, shmreg_error* error);

enum shmreg_owner_kind {
  SHMREG_OWNER_PROCESS = 1,
  SHMREG_OWNER_PID = 2,
  SHMREG_OWNER_TTL = 3,
  SHMREG_OWNER_STATIC = 4,
  SHMREG_OWNER_REMOTE = 5
};

typedef struct shmreg_owner {
  size_t size;
  uint32_t kind;      /* SHMREG_OWNER_PID, _TTL or _STATIC */
  uint32_t pid;       /* of _PID */
  int32_t and_caller; /* of _PID: the caller's end is its end as well */
  uint64_t period_ns; /* of _TTL */
} shmreg_owner;

SHMREG_API int shmreg_register_for(shmreg_registry* registry, const shmreg_owner* owner,
                                   const char* service, size_t service_size,
                                   const shmreg_spec* spec, const shmreg_register_options* options,
                                   uint64_t* id, shmreg_error* error);

typedef struct shmreg_unregister_options {
  size_t size;
  uint64_t id;   /* only this registration; 0: whichever it is */
  int32_t force; /* also what another live process registered for itself */
} shmreg_unregister_options;

SHMREG_API int shmreg_unregister(shmreg_registry* registry, const char* service,
                                 size_t service_size, const shmreg_unregister_options* options,
                                 int* removed, shmreg_error* error);
SHMREG_API int shmreg_update(shmreg_registry* registry, const char* service, size_t service_size,
                             const shmreg_spec* spec, shmreg_error* error);
/* *renewed (may be null): 0 if it has expired, is gone, or the id is another's. */
SHMREG_API int shmreg_renew(shmreg_registry* registry, const char* service, size_t service_size,
                            uint64_t id, int* renewed, shmreg_error* error);

enum shmreg_health {
  SHMREG_HEALTH_UNKNOWN = 0,
  SHMREG_HEALTH_STARTING = 1,
  SHMREG_HEALTH_PASSING = 2,
  SHMREG_HEALTH_WARNING = 3,
  SHMREG_HEALTH_CRITICAL = 4,
  SHMREG_HEALTH_MAINTENANCE = 5
};
/* `id` 0: one's own instance, or the only registration. */
SHMREG_API int shmreg_set_health(shmreg_registry* registry, const char* service,
                                 size_t service_size, uint32_t health, uint64_t id,
                                 shmreg_error* error);

/* Everything in a namespace and those below it. *removed (may be null): how many. */
SHMREG_API int shmreg_cleanup(shmreg_registry* registry, const char* namespace_name,
                              size_t namespace_size, uint64_t* removed, shmreg_error* error);
SHMREG_API int shmreg_collect_garbage(shmreg_registry* registry, uint64_t* removed,
                                      shmreg_error* error);
SHMREG_API int shmreg_repair(shmreg_registry* registry, uint32_t* repaired, shmreg_error* error);

/* "namespace/name" of what a user wrote. */
SHMREG_API int shmreg_full_name(const char* service, size_t service_size, shmreg_text* full_name,
                                shmreg_buffer* buffer, shmreg_error* error);
/* Whether it may be registered so, as far as the rules go; needs no segment. */
SHMREG_API int shmreg_check_spec(const char* service, size_t service_size, const shmreg_spec* spec,
                                 shmreg_error* error);

/* --- finding ------------------------------------------------------------------------------- */

typedef struct shmreg_service {
  size_t size; /* sizeof(shmreg_service), set by the caller */
  uint64_t id;
  uint32_t pid;    /* 0 where its owner is no process */
  uint32_t owner;  /* enum shmreg_owner_kind */
  uint32_t health; /* enum shmreg_health */
  int32_t alive;   /* 1, 0, or -1 where it cannot be known */
  int32_t shared;
  int32_t reserved; /* 0 */
  int64_t registered_at_ns;
  uint64_t uptime_ns;
  uint64_t period_ns;
  uint64_t change;
  shmreg_text full_name;
  shmreg_text namespace_name;
  shmreg_text name;
  shmreg_text endpoint;
  const shmreg_pair* metadata;
  size_t metadata_count;
  const shmreg_text* tags;
  size_t tag_count;
  const shmreg_text* depends;
  size_t depend_count;
  const shmreg_text* wants;
  size_t want_count;
} shmreg_service;

/* A buffer that does for a service with a kilobyte of text and a few attributes. */
#define SHMREG_USUAL_BUFFER 4096

SHMREG_API int shmreg_lookup(const shmreg_registry* registry, const char* service,
                             size_t service_size, shmreg_service* found, shmreg_buffer* buffer,
                             shmreg_error* error);
/* The endpoint alone, the fastest: its bytes into `endpoint`, and a NUL. *endpoint_size: its bytes,
 * also where that is more than capacity - 1 (SHMREG_BUFFER_TOO_SMALL). */
SHMREG_API int shmreg_lookup_endpoint(const shmreg_registry* registry, const char* service,
                                      size_t service_size, char* endpoint, size_t capacity,
                                      size_t* endpoint_size, shmreg_error* error);

typedef struct shmreg_list shmreg_list;
SHMREG_API int shmreg_lookup_all(const shmreg_registry* registry, const char* service,
                                 size_t service_size, shmreg_list** list, shmreg_error* error);

typedef struct shmreg_query_options {
  size_t size;
  shmreg_text namespace_name; /* a null pointer: all of them */
  int32_t and_below;
  int32_t has_health;
  uint32_t health; /* with has_health */
  uint32_t pid;    /* 0: any */
  shmreg_text match;
  const shmreg_pair* metadata;
  size_t metadata_count;
  const shmreg_text* tags;
  size_t tag_count;
  const shmreg_text* where; /* "version>=3", "zone in a,b" */
  size_t where_count;
} shmreg_query_options;

/* Null options: every service. */
SHMREG_API int shmreg_query(const shmreg_registry* registry, const shmreg_query_options* options,
                            shmreg_list** list, shmreg_error* error);
SHMREG_API size_t shmreg_list_count(const shmreg_list* list);
SHMREG_API int shmreg_list_service(const shmreg_list* list, size_t index, shmreg_service* service,
                                   shmreg_buffer* buffer, shmreg_error* error);
SHMREG_API void shmreg_list_free(shmreg_list* list);

/* Of one namespace; of all, where the pointer is null. */
SHMREG_API int shmreg_count(const shmreg_registry* registry, const char* namespace_name,
                            size_t namespace_size, uint64_t* count, shmreg_error* error);

typedef struct shmreg_namespace {
  shmreg_text name;
  uint64_t services;
} shmreg_namespace;
/* `rows`: an array into the buffer, of *count. */
SHMREG_API int shmreg_namespaces(const shmreg_registry* registry, const shmreg_namespace** rows,
                                 size_t* count, shmreg_buffer* buffer, shmreg_error* error);

enum shmreg_process_state {
  SHMREG_PROCESS_RUNNING = 0,
  SHMREG_PROCESS_STOPPED = 1,
  SHMREG_PROCESS_DUMPING_CORE = 2,
  SHMREG_PROCESS_DYING = 3,
  SHMREG_PROCESS_UNKNOWN = 4 /* none, or of another PID namespace */
};

typedef struct shmreg_owner_info {
  size_t size;
  uint32_t state;          /* enum shmreg_process_state */
  uint64_t process_age_ns; /* 0 where that cannot be known */
  char program[32];        /* empty where that cannot be known */
} shmreg_owner_info;
SHMREG_API int shmreg_service_info(const shmreg_registry* registry, const char* service,
                                   size_t service_size, shmreg_owner_info* owner,
                                   shmreg_service* found, shmreg_buffer* buffer,
                                   shmreg_error* error);

typedef struct shmreg_last_known_info {
  size_t size;
  uint32_t end;  /* SHMREG_UNREGISTERED, _DIED or _EXPIRED */
  int64_t at_ns; /* 0: nobody has noted it yet */
  char program[32];
} shmreg_last_known_info;
/* Of a name that nobody has: who had it last. SHMREG_NOT_FOUND where that is not known. */
SHMREG_API int shmreg_last_known(const shmreg_registry* registry, const char* service,
                                 size_t service_size, shmreg_last_known_info* last,
                                 shmreg_service* was, shmreg_buffer* buffer, shmreg_error* error);

typedef struct shmreg_registry_info {
  size_t size;
  uint32_t layout_major;
  uint32_t layout_minor;
  int64_t created_at_ns;
  uint64_t changes;
  uint32_t partitions;
  uint32_t processes;
  uint32_t max_processes;
  int32_t by_kernel_mark; /* how owners' ends are known here: 1, or 0: by a byte lock */
  uint64_t services;
  uint64_t namespaces;
  uint64_t bytes_used;
  uint64_t bytes_limit;
  double load_factor_max;
  char segment[68];
} shmreg_registry_info;
SHMREG_API int shmreg_info(const shmreg_registry* registry, shmreg_registry_info* info,
                           shmreg_error* error);

typedef struct shmreg_process {
  uint64_t pid_namespace; /* 0 where it is not known */
  uint64_t services;
  int64_t attached_at_ns;
  uint32_t entry;
  uint32_t pid; /* as its own PID namespace numbers it */
  uint32_t state;
  int32_t by_kernel_mark;
  char program[32];
  char waiting_for[112]; /* empty where it is not waiting for a lock */
} shmreg_process;
/* As shmreg_segments. */
SHMREG_API int shmreg_processes(const shmreg_registry* registry, shmreg_process* rows,
                                size_t row_size, size_t capacity, size_t* count,
                                shmreg_error* error);

/* --- a name that is asked for often -------------------------------------------------------- */

typedef struct shmreg_ref shmreg_ref;
SHMREG_API int shmreg_ref_open(const shmreg_registry* registry, const char* service,
                               size_t service_size, shmreg_ref** ref, shmreg_error* error);
SHMREG_API int shmreg_ref_service(shmreg_ref* ref, shmreg_service* found, shmreg_buffer* buffer,
                                  shmreg_error* error);
SHMREG_API int shmreg_ref_endpoint(shmreg_ref* ref, char* endpoint, size_t capacity,
                                   size_t* endpoint_size, shmreg_error* error);
SHMREG_API void shmreg_ref_free(shmreg_ref* ref);

/* --- watching, waiting --------------------------------------------------------------------- */

typedef struct shmreg_watch shmreg_watch;

enum shmreg_event_kind {
  SHMREG_PRESENT = 0,
  SHMREG_REGISTERED = 1,
  SHMREG_UPDATED = 2,
  SHMREG_UNREGISTERED = 3,
  SHMREG_DIED = 4,
  SHMREG_EXPIRED = 5,
  SHMREG_HEALTH_CHANGED = 6,
  SHMREG_LOST = 7
};

typedef struct shmreg_event {
  size_t size;
  uint32_t kind;
  int32_t has_change;
  uint64_t change;
  int64_t at_ns;
  uint64_t lost;
  int32_t has_service; /* not with SHMREG_LOST */
} shmreg_event;

typedef struct shmreg_watch_options {
  size_t size;
  int32_t return_on_signal;
} shmreg_watch_options;

/* `scope`: "ns/name", "ns/", or empty. */
SHMREG_API int shmreg_watch_open(shmreg_registry* registry, const char* scope, size_t scope_size,
                                 const shmreg_watch_options* options, shmreg_watch** watch,
                                 shmreg_error* error);
/* `timeout_ns` below 0: for ever. SHMREG_OK: an event. SHMREG_TIMED_OUT, SHMREG_CANCELLED,
 * SHMREG_INTERRUPTED: none. `service` may be null. */
SHMREG_API int shmreg_watch_next(shmreg_watch* watch, int64_t timeout_ns, shmreg_event* event,
                                 shmreg_service* service, shmreg_buffer* buffer,
                                 shmreg_error* error);
/* Before any other thread may call shmreg_watch_cancel. */
SHMREG_API int shmreg_watch_descriptor(shmreg_watch* watch, int* descriptor, shmreg_error* error);
/* From any thread, and from a signal handler. */
SHMREG_API void shmreg_watch_cancel(shmreg_watch* watch);
SHMREG_API void shmreg_watch_free(shmreg_watch* watch);

enum shmreg_wait_condition {
  SHMREG_WAIT_REGISTERED = 0,
  SHMREG_WAIT_PASSING = 1,
  SHMREG_WAIT_GONE = 2
};

typedef struct shmreg_wait_options {
  size_t size;
  uint32_t condition; /* enum shmreg_wait_condition */
  int32_t any;
  int64_t timeout_ns; /* 0: 5 s; below 0: for ever */
  int32_t return_on_signal;
} shmreg_wait_options;

/* `met` (may be null): a byte for each service, 1 where the condition holds of it. Of no services
 * at all it holds. */
SHMREG_API int shmreg_wait(const shmreg_registry* registry, const shmreg_text* services,
                           size_t count, const shmreg_wait_options* options, uint8_t* met,
                           shmreg_error* error);

typedef struct shmreg_pending_wait shmreg_pending_wait;
SHMREG_API int shmreg_start_wait(const shmreg_registry* registry, const shmreg_text* services,
                                 size_t count, const shmreg_wait_options* options,
                                 shmreg_pending_wait** wait, shmreg_error* error);
/* For poll(2): readable once it is over. */
SHMREG_API int shmreg_pending_wait_descriptor(const shmreg_pending_wait* wait);
/* From any thread, and from a signal handler. */
SHMREG_API void shmreg_pending_wait_cancel(shmreg_pending_wait* wait);
/* Waits until it is over; as shmreg_wait, `met` being of as many services. */
SHMREG_API int shmreg_pending_wait_outcome(const shmreg_pending_wait* wait, uint8_t* met,
                                           shmreg_error* error);
SHMREG_API void shmreg_pending_wait_free(shmreg_pending_wait* wait);

/* --- checking, ending ---------------------------------------------------------------------- */

/* Returns 1: healthy, or 0: not; may say more in `value`, which ends in a NUL. */
typedef int (*shmreg_check_function)(const shmreg_service* service, void* context, char* value,
                                     size_t capacity);

enum shmreg_check_outcome {
  SHMREG_CHECK_HEALTHY = 0,
  SHMREG_CHECK_NOT_FOUND = 1,
  SHMREG_CHECK_PROCESS_DEAD = 2,
  SHMREG_CHECK_FAILED = 3,
  SHMREG_CHECK_THREW = 4,
  SHMREG_CHECK_TIMED_OUT = 5,
  SHMREG_CHECK_UNREADABLE = 6
};

typedef struct shmreg_check_result {
  size_t size;
  uint32_t outcome; /* enum shmreg_check_outcome */
  uint64_t duration_ns;
  char value[256];
  char message[500];
} shmreg_check_result;

/* `function` runs in a thread of its own, which goes on after the time is out: `context` must
 * outlive it. Null: whether the owner lives. `timeout_ns` 0: 5 s. SHMREG_OK whatever the outcome.
 */
SHMREG_API int shmreg_health_check(const shmreg_registry* registry, const char* service,
                                   size_t service_size, shmreg_check_function function,
                                   void* context, int64_t timeout_ns, shmreg_check_result* result,
                                   shmreg_error* error);

typedef struct shmreg_termination {
  size_t size;
  uint64_t ended;        /* processes that have ended */
  uint64_t not_asked;    /* that could not be asked, or do not end: the message says which */
  int32_t not_permitted; /* one of them, for want of permission */
} shmreg_termination;

/* Asks the owners of what is in the list to stop: SIGTERM, and SIGKILL after the grace. */
SHMREG_API int shmreg_terminate_owners(const shmreg_registry* registry, const shmreg_list* list,
                                       uint64_t grace_ns, shmreg_termination* termination,
                                       shmreg_error* error);

#ifdef __cplusplus
}
#endif

#endif
