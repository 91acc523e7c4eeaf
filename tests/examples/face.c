/* The C interface, called from C11 as its header says, on a segment of its own (whose name is the
 * first argument): every function, and what each says when it cannot. Ends with 0 if all held. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <shmreg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

/* A name as pointer and length. */
#define NAME(text) text, sizeof(text) - 1

static shmreg_error error = {.size = sizeof error};

static int is(shmreg_text text, const char* wanted) {
  return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0 &&
         text.data[text.size] == '\0';
}

static int readable(int descriptor, int timeout_ms) {
  struct pollfd wanted = {descriptor, POLLIN, 0};
  return poll(&wanted, 1, timeout_ms) == 1;
}

static void segments(const char* segment, size_t size) {
  int created = 0;
  shmreg_create_options options = {
      .size = sizeof options, .max_size_bytes = 16 << 20, .partitions = 4, .mode = 0640};
  CHECK(shmreg_create_segment(segment, size, &options, &created, &error) == SHMREG_OK && created);
  CHECK(shmreg_create_segment(segment, size, &options, NULL, &error) == SHMREG_SEGMENT_EXISTS);
  CHECK(error.code == SHMREG_SEGMENT_EXISTS && strlen(error.message) > 0);
  options.if_missing = 1;
  CHECK(shmreg_create_segment(segment, size, &options, &created, NULL) == SHMREG_OK && !created);
  CHECK(shmreg_create_segment(NAME("no/name"), NULL, NULL, NULL) == SHMREG_INVALID_NAME);

  size_t count = 0;
  CHECK(shmreg_segments(NULL, sizeof(shmreg_segment), 0, &count, &error) ==
        SHMREG_BUFFER_TOO_SMALL);
  shmreg_segment* rows = calloc(count + 16, sizeof *rows);
  CHECK(shmreg_segments(rows, sizeof *rows, count + 16, &count, NULL) == SHMREG_OK);
  int there = 0;
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(rows[i].name, segment) != 0) continue;
    ++there;
    CHECK(rows[i].mode == 0640 && rows[i].bytes_limit == 16 << 20);
  }
  CHECK(there == 1);
  free(rows);

  shmreg_report* report = NULL;
  size_t problems = 1;
  CHECK(shmreg_doctor(segment, size, NULL, &report, &problems, &error) == SHMREG_OK);
  CHECK(problems == 0);
  shmreg_problem problem = {.size = sizeof problem};
  CHECK(shmreg_report_problem(report, 0, &problem, NULL, NULL) == SHMREG_INVALID_ARGUMENT);
  shmreg_report_free(report);
}

static void registering(shmreg_registry* registry) {
  shmreg_pair metadata[] = {{shmreg_text_of("zone"), shmreg_text_of("eu")},
                            {shmreg_text_of("version"), shmreg_text_of("3")}};
  shmreg_text tags[] = {shmreg_text_of("http")};
  shmreg_text depends[] = {shmreg_text_of("c/db")};
  shmreg_text wants[] = {shmreg_text_of("c/cache"), shmreg_text_of("c/log")};
  shmreg_spec spec = {.size = sizeof spec,
                      .endpoint = shmreg_text_of("tcp://h:1"),
                      .metadata = metadata,
                      .metadata_count = 2,
                      .tags = tags,
                      .tag_count = 1,
                      .depends = depends,
                      .depend_count = 1,
                      .wants = wants,
                      .want_count = 2};
  CHECK(shmreg_check_spec(NAME("c/web"), &spec, &error) == SHMREG_OK);
  CHECK(shmreg_check_spec(NAME("c/"), NULL, &error) == SHMREG_INVALID_NAME);
  shmreg_registration* mine = NULL;
  CHECK(shmreg_register(registry, NAME("c/web"), &spec, NULL, &mine, &error) == SHMREG_OK);
  CHECK(shmreg_registration_holds(mine) == 1);
  const uint64_t id = shmreg_registration_id(mine);

  /* Into a buffer, once it is large enough. */
  shmreg_service found = {.size = sizeof found};
  shmreg_buffer buffer = {NULL, 0, 0};
  CHECK(shmreg_lookup(registry, NAME("c/web"), &found, &buffer, &error) == SHMREG_BUFFER_TOO_SMALL);
  CHECK(buffer.needed > 0 && found.id == 0);
  buffer.data = malloc(buffer.needed);
  buffer.capacity = buffer.needed;
  CHECK(shmreg_lookup(registry, NAME("c/web"), &found, &buffer, &error) == SHMREG_OK);
  CHECK(found.id == id && found.pid == (uint32_t)getpid() && found.alive == 1);
  CHECK(found.owner == SHMREG_OWNER_PROCESS && found.health == SHMREG_HEALTH_UNKNOWN);
  CHECK(is(found.full_name, "c/web") && is(found.namespace_name, "c") && is(found.name, "web"));
  CHECK(is(found.endpoint, "tcp://h:1"));
  CHECK(found.metadata_count == 2 && is(found.metadata[1].key, "version") &&
        is(found.metadata[1].value, "3"));
  CHECK(found.tag_count == 1 && is(found.tags[0], "http"));
  CHECK(found.depend_count == 1 && is(found.depends[0], "c/db"));
  CHECK(found.want_count == 2 && is(found.wants[0], "c/cache") && is(found.wants[1], "c/log"));

  char endpoint[10];
  size_t bytes = 0;
  CHECK(shmreg_lookup_endpoint(registry, NAME("c/web"), endpoint, sizeof endpoint, &bytes, NULL) ==
        SHMREG_OK);
  CHECK(bytes == 9 && strcmp(endpoint, "tcp://h:1") == 0);
  CHECK(shmreg_lookup_endpoint(registry, NAME("c/web"), endpoint, 9, &bytes, NULL) ==
        SHMREG_BUFFER_TOO_SMALL);
  CHECK(shmreg_lookup_endpoint(registry, NAME("c/nobody"), endpoint, 9, NULL, &error) ==
        SHMREG_NOT_FOUND);
  CHECK(strstr(error.message, "c/nobody") != NULL);

  shmreg_ref* ref = NULL;
  CHECK(shmreg_ref_open(registry, NAME("c/web"), &ref, &error) == SHMREG_OK);
  CHECK(shmreg_ref_endpoint(ref, endpoint, sizeof endpoint, NULL, NULL) == SHMREG_OK);

  spec.endpoint = shmreg_text_of("tcp://h:2");
  spec.metadata_count = 0;
  CHECK(shmreg_registration_update(mine, &spec, &error) == SHMREG_OK);
  CHECK(shmreg_update(registry, NAME("c/web"), &spec, &error) == SHMREG_OK);
  CHECK(shmreg_ref_service(ref, &found, &buffer, NULL) == SHMREG_OK);
  CHECK(is(found.endpoint, "tcp://h:2") && found.metadata_count == 0 && found.id == id);
  CHECK(shmreg_set_health(registry, NAME("c/web"), SHMREG_HEALTH_PASSING, 0, &error) == SHMREG_OK);

  shmreg_owner_info owner = {.size = sizeof owner};
  CHECK(shmreg_service_info(registry, NAME("c/web"), &owner, &found, &buffer, &error) == SHMREG_OK);
  CHECK(owner.state == SHMREG_PROCESS_RUNNING && strlen(owner.program) > 0);
  CHECK(found.health == SHMREG_HEALTH_PASSING);

  /* Somebody takes the name away: the handle is told. */
  int descriptor = -1;
  CHECK(shmreg_registration_loss_descriptor(mine, &descriptor, &error) == SHMREG_OK);
  CHECK(!readable(descriptor, 0));
  shmreg_owner ttl = {.size = sizeof ttl, .kind = SHMREG_OWNER_TTL, .period_ns = 3600000000000u};
  uint64_t other = 0;
  CHECK(shmreg_register_for(registry, &ttl, NAME("c/web"), NULL, NULL, &other, &error) ==
        SHMREG_ALREADY_REGISTERED);
  shmreg_register_options replace = {.size = sizeof replace, .replace = 1};
  CHECK(shmreg_register_for(registry, &ttl, NAME("c/web"), NULL, &replace, &other, &error) ==
        SHMREG_OK);
  CHECK(readable(descriptor, 60000) && !shmreg_registration_holds(mine));
  int done = -1;
  CHECK(shmreg_registration_unregister(mine, &done, &error) == SHMREG_OK && done == 0);
  shmreg_registration_free(mine);
  CHECK(shmreg_renew(registry, NAME("c/web"), other, &done, &error) == SHMREG_OK && done == 1);
  shmreg_unregister_options only = {.size = sizeof only, .id = id};
  CHECK(shmreg_unregister(registry, NAME("c/web"), &only, &done, &error) == SHMREG_OK && done == 0);
  CHECK(shmreg_unregister(registry, NAME("c/web"), NULL, &done, &error) == SHMREG_OK && done == 1);
  CHECK(shmreg_ref_service(ref, &found, &buffer, &error) == SHMREG_NOT_FOUND);
  shmreg_ref_free(ref);
  shmreg_last_known_info last = {.size = sizeof last};
  CHECK(shmreg_last_known(registry, NAME("c/web"), &last, &found, &buffer, &error) == SHMREG_OK);
  CHECK(last.end == SHMREG_UNREGISTERED && found.id == other);
  CHECK(shmreg_last_known(registry, NAME("c/nobody"), &last, NULL, NULL, NULL) == SHMREG_NOT_FOUND);
  free(buffer.data);

  shmreg_bulk_item items[3] = {{.service = shmreg_text_of("c/one"), .spec = &spec},
                               {.service = shmreg_text_of("c/")},
                               {.service = shmreg_text_of("c/two")}};
  CHECK(shmreg_register_many(registry, items, sizeof items[0], 3, &error) == SHMREG_INVALID_NAME);
  CHECK(items[0].code == SHMREG_OK && items[1].code == SHMREG_INVALID_NAME &&
        items[2].code == SHMREG_OK);
  CHECK(items[1].registration == NULL);
  shmreg_registration_release(items[0].registration);
  shmreg_registration_free(items[2].registration);
  uint64_t count = 0;
  CHECK(shmreg_count(registry, NAME("c"), &count, &error) == SHMREG_OK && count == 1);
  CHECK(shmreg_cleanup(registry, NAME("c"), &count, &error) == SHMREG_OK && count == 1);
}

static void finding(shmreg_registry* registry) {
  shmreg_owner permanent = {.size = sizeof permanent, .kind = SHMREG_OWNER_STATIC};
  shmreg_register_options shared = {.size = sizeof shared, .shared = 1};
  shmreg_pair version = {shmreg_text_of("version"), shmreg_text_of("10")};
  shmreg_spec spec = {.size = sizeof spec, .metadata = &version, .metadata_count = 1};
  for (int i = 0; i < 2; ++i) {
    CHECK(shmreg_register_for(registry, &permanent, NAME("f/s"), &spec, &shared, NULL, &error) ==
          SHMREG_OK);
  }
  CHECK(shmreg_register_for(registry, &permanent, NAME("f/below/x"), NULL, NULL, NULL, &error) ==
        SHMREG_OK);
  shmreg_list* list = NULL;
  CHECK(shmreg_lookup_all(registry, NAME("f/s"), &list, &error) == SHMREG_OK);
  CHECK(shmreg_list_count(list) == 2);
  shmreg_service service = {.size = sizeof service};
  max_align_t memory[SHMREG_USUAL_BUFFER / sizeof(max_align_t)];
  shmreg_buffer buffer = {memory, sizeof memory, 0};
  CHECK(shmreg_list_service(list, 1, &service, &buffer, &error) == SHMREG_OK && service.shared);
  CHECK(shmreg_list_service(list, 2, &service, &buffer, &error) == SHMREG_INVALID_ARGUMENT);
  shmreg_list_free(list);

  shmreg_text where = shmreg_text_of("version>=3");
  shmreg_query_options query = {.size = sizeof query,
                                .namespace_name = shmreg_text_of("f"),
                                .and_below = 1,
                                .where = &where,
                                .where_count = 1};
  CHECK(shmreg_query(registry, &query, &list, &error) == SHMREG_OK && shmreg_list_count(list) == 2);
  shmreg_list_free(list);
  where = shmreg_text_of("version");
  CHECK(shmreg_query(registry, &query, &list, &error) == SHMREG_INVALID_ARGUMENT);
  CHECK(shmreg_query(registry, NULL, &list, &error) == SHMREG_OK && shmreg_list_count(list) == 3);
  shmreg_list_free(list);

  const shmreg_namespace* rows = NULL;
  size_t count = 0;
  CHECK(shmreg_namespaces(registry, &rows, &count, &buffer, &error) == SHMREG_OK && count == 2);
  CHECK(is(rows[0].name, "f") && rows[0].services == 2 && is(rows[1].name, "f/below"));
  shmreg_registry_info info = {.size = sizeof info};
  CHECK(shmreg_info(registry, &info, &error) == SHMREG_OK);
  CHECK(info.services == 3 && info.partitions == 4 && info.processes >= 1);
  shmreg_process process[8];
  CHECK(shmreg_processes(registry, process, sizeof *process, 8, &count, &error) == SHMREG_OK &&
        count == 1);
  CHECK(process[0].pid == (uint32_t)getpid());
  shmreg_text full;
  CHECK(shmreg_full_name(NAME("x"), &full, &buffer, &error) == SHMREG_OK && is(full, "default/x"));
}

static void* function_context;
static int works(const shmreg_service* service, void* context, char* value, size_t capacity) {
  function_context = context;
  snprintf(value, capacity, "%zu bytes", service->name.size);
  return 0;
}

static void waiting(shmreg_registry* registry) {
  shmreg_watch* watch = NULL;
  CHECK(shmreg_watch_open(registry, NAME("w/"), NULL, &watch, &error) == SHMREG_OK);
  shmreg_event event = {.size = sizeof event};
  shmreg_service service = {.size = sizeof service};
  max_align_t memory[SHMREG_USUAL_BUFFER / sizeof(max_align_t)];
  shmreg_buffer buffer = {memory, 8, 0};
  CHECK(shmreg_watch_next(watch, 0, &event, NULL, NULL, &error) == SHMREG_TIMED_OUT);
  int descriptor = -1;
  CHECK(shmreg_watch_descriptor(watch, &descriptor, &error) == SHMREG_OK);

  /* Registered by another process, which is then killed. */
  const pid_t child = fork();
  if (child == 0) {
    shmreg_registration* mine;
    if (shmreg_register(registry, NAME("w/child"), NULL, NULL, &mine, NULL) != SHMREG_OK) _exit(1);
    for (;;) pause();
  }
  shmreg_text names[2] = {shmreg_text_of("w/child"), shmreg_text_of("w/nobody")};
  shmreg_wait_options any = {.size = sizeof any, .any = 1, .timeout_ns = -1};
  uint8_t met[2] = {9, 9};
  CHECK(shmreg_wait(registry, names, 2, &any, met, &error) == SHMREG_OK && met[0] == 1 &&
        met[1] == 0);
  shmreg_wait_options soon = {.size = sizeof soon, .timeout_ns = 1000000};
  CHECK(shmreg_wait(registry, names, 2, &soon, NULL, &error) == SHMREG_TIMED_OUT);
  CHECK(strstr(error.message, "w/nobody") != NULL);
  CHECK(readable(descriptor, 60000));
  /* An event that finds no room is told again. */
  CHECK(shmreg_watch_next(watch, -1, &event, &service, &buffer, &error) == SHMREG_BUFFER_TOO_SMALL);
  buffer.capacity = sizeof memory;
  CHECK(shmreg_watch_next(watch, -1, &event, &service, &buffer, &error) == SHMREG_OK);
  CHECK(event.kind == SHMREG_REGISTERED && event.has_service && event.has_change);
  CHECK(is(service.name, "child") && service.pid == (uint32_t)child);

  shmreg_wait_options gone = {.size = sizeof gone, .condition = SHMREG_WAIT_GONE, .timeout_ns = -1};
  shmreg_pending_wait* wait = NULL;
  CHECK(shmreg_start_wait(registry, names, 1, &gone, &wait, &error) == SHMREG_OK);
  CHECK(!readable(shmreg_pending_wait_descriptor(wait), 50));
  shmreg_check_result result = {.size = sizeof result};
  int context;
  CHECK(shmreg_health_check(registry, NAME("w/child"), works, &context, 0, &result, &error) ==
        SHMREG_OK);
  CHECK(result.outcome == SHMREG_CHECK_FAILED && strcmp(result.value, "5 bytes") == 0);
  CHECK(function_context == &context);

  shmreg_list* list = NULL;
  shmreg_query_options query = {.size = sizeof query, .namespace_name = shmreg_text_of("w")};
  CHECK(shmreg_query(registry, &query, &list, &error) == SHMREG_OK && shmreg_list_count(list) == 1);
  shmreg_termination termination = {0};  // of no size: nobody is asked
  CHECK(shmreg_terminate_owners(registry, list, 60000000000u, &termination, &error) ==
        SHMREG_INVALID_ARGUMENT);
  CHECK(kill(child, 0) == 0 && waitpid(child, NULL, WNOHANG) == 0);
  termination.size = sizeof termination;
  CHECK(shmreg_terminate_owners(registry, list, 60000000000u, &termination, &error) == SHMREG_OK);
  CHECK(termination.ended == 1 && termination.not_asked == 0);
  shmreg_list_free(list);
  CHECK(waitpid(child, NULL, 0) == child);
  CHECK(readable(shmreg_pending_wait_descriptor(wait), 60000));
  CHECK(shmreg_pending_wait_outcome(wait, met, &error) == SHMREG_OK && met[0] == 1);
  shmreg_pending_wait_free(wait);
  CHECK(shmreg_watch_next(watch, -1, &event, &service, &buffer, &error) == SHMREG_OK);
  CHECK(event.kind == SHMREG_DIED && service.alive == 0);
  CHECK(shmreg_health_check(registry, NAME("w/child"), NULL, NULL, 0, &result, &error) ==
        SHMREG_OK);
  CHECK(result.outcome == SHMREG_CHECK_PROCESS_DEAD);

  shmreg_watch_cancel(watch);
  CHECK(shmreg_watch_next(watch, -1, &event, &service, &buffer, &error) == SHMREG_CANCELLED);
  shmreg_watch_free(watch);
  CHECK(shmreg_start_wait(registry, names + 1, 1, &any, &wait, &error) == SHMREG_OK);
  shmreg_pending_wait_cancel(wait);
  CHECK(shmreg_pending_wait_outcome(wait, NULL, &error) == SHMREG_CANCELLED);
  shmreg_pending_wait_free(wait);
}

/* The file of somebody else. Only root can make one. */
static void trusting(const char* segment, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "/dev/shm/shmreg.%s", segment);
  if (geteuid() != 0 || chown(path, 65534, (gid_t)-1) != 0) return;
  uint32_t owners[2] = {65533, 65534};
  shmreg_trust_options trust = {.size = sizeof trust, .owners = owners, .owner_count = 1};
  shmreg_attach_options options = {.size = sizeof options, .trust = &trust};
  shmreg_registry* registry = NULL;
  CHECK(shmreg_attach(segment, size, &options, &registry, &error) == SHMREG_UNTRUSTED_OWNER);
  trust.owner_count = 2;
  CHECK(shmreg_attach(segment, size, &options, &registry, &error) == SHMREG_OK);
  shmreg_detach(registry);
  CHECK(chown(path, 0, (gid_t)-1) == 0);
}

/* Structures of another version, and pointers that are not there. */
static void callers_of_all_kinds(shmreg_registry* registry) {
  struct {
    shmreg_register_options known;
    int32_t later;
  } options = {.known = {.size = sizeof options}};
  shmreg_registration* mine = NULL;
  CHECK(shmreg_register(registry, NAME("v/x"), NULL, &options.known, &mine, &error) == SHMREG_OK);
  shmreg_registration_free(mine);
  options.later = 1;
  CHECK(shmreg_register(registry, NAME("v/x"), NULL, &options.known, &mine, &error) ==
        SHMREG_INVALID_ARGUMENT);
  shmreg_register_options unset = {0};
  CHECK(shmreg_register(registry, NAME("v/x"), NULL, &unset, &mine, &error) ==
        SHMREG_INVALID_ARGUMENT);
  /* As of a version that knew no more than `replace`. */
  shmreg_register_options earlier = {.size = offsetof(shmreg_register_options, shared),
                                     .shared = 1};
  CHECK(shmreg_register(registry, NAME("v/x"), NULL, &earlier, &mine, &error) == SHMREG_OK);
  shmreg_registration_free(mine);
  CHECK(shmreg_register(NULL, NAME("v/x"), NULL, NULL, &mine, &error) == SHMREG_INVALID_ARGUMENT);
  CHECK(shmreg_register(registry, NULL, 0, NULL, NULL, &mine, &error) == SHMREG_INVALID_NAME);
  CHECK(shmreg_lookup(registry, NAME("v/x"), NULL, NULL, NULL) == SHMREG_NOT_FOUND);
  /* A message is cut to what there is, at a character. */
  union {
    shmreg_error whole;
    char bytes[sizeof(shmreg_error)];
  } small = {.whole = {.size = offsetof(shmreg_error, message) + 8}};
  memset(small.bytes + small.whole.size, 'x', sizeof small - small.whole.size);
  CHECK(shmreg_register(registry, NAME("v/"), NULL, NULL, &mine, &small.whole) ==
        SHMREG_INVALID_NAME);
  CHECK(strlen(small.whole.message) == 7 && small.bytes[small.whole.size] == 'x');
  static const char e_acute[] =
      "v/\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
  int cut = 0;
  for (size_t room = 1; room < 64; ++room) {
    small.whole.size = offsetof(shmreg_error, message) + room;
    CHECK(shmreg_lookup(registry, NAME(e_acute), NULL, NULL, &small.whole) == SHMREG_NOT_FOUND);
    const size_t length = strlen(small.whole.message);
    CHECK(length < room && small.whole.message[length ? length - 1 : 0] != '\xc3');
    if (length + 1 < room && strchr(small.whole.message, '\xa9')) ++cut;
  }
  CHECK(cut > 0);
  /* One that has not said its size gets nothing. */
  memset(small.bytes, 0, sizeof small);
  CHECK(shmreg_lookup(registry, NAME("v/x"), NULL, NULL, &small.whole) == SHMREG_NOT_FOUND);
  CHECK(small.whole.code == 0 && small.whole.message[0] == '\0');
  /* Arrays that are not there, or longer than any can be, are not looked into. */
  shmreg_text tag = shmreg_text_of("t");
  shmreg_pair pair = {tag, tag};
  shmreg_spec spec = {.size = sizeof spec, .tags = &tag, .tag_count = (size_t)-1};
  CHECK(shmreg_check_spec(NAME("v/x"), &spec, &error) == SHMREG_INVALID_ARGUMENT);
  spec = (shmreg_spec){.size = sizeof spec, .tag_count = 1};
  CHECK(shmreg_check_spec(NAME("v/x"), &spec, &error) == SHMREG_INVALID_ARGUMENT);
  spec = (shmreg_spec){.size = sizeof spec, .metadata = &pair, .metadata_count = (size_t)-1};
  CHECK(shmreg_check_spec(NAME("v/x"), &spec, &error) == SHMREG_INVALID_ARGUMENT);
  spec = (shmreg_spec){.size = sizeof spec, .metadata_count = 1};
  CHECK(shmreg_check_spec(NAME("v/x"), &spec, &error) == SHMREG_INVALID_ARGUMENT);
  shmreg_detach(NULL);
  shmreg_list_free(NULL);
  shmreg_registration_free(NULL);
}

int main(int count, char** words) {
  if (count != 2) return 2;
  const char* segment = words[1];
  const size_t size = strlen(segment);
  CHECK(strcmp(shmreg_version(), "") != 0 && shmreg_version_number() > 0);
  CHECK(strcmp(shmreg_describe(SHMREG_OK), "done") == 0);
  siginfo_t fault; /* in no segment */
  memset(&fault, 0, sizeof fault);
  fault.si_signo = SIGBUS;
  CHECK(shmreg_handle_sigbus(&fault) == 0);
  CHECK(shmreg_attach(segment, size, NULL, &(shmreg_registry*){NULL}, &error) ==
        SHMREG_NO_SUCH_SEGMENT);
  segments(segment, size);
  trusting(segment, size);
  shmreg_registry* registry = NULL;
  shmreg_attach_options options = {.size = sizeof options, .access = SHMREG_READ_WRITE};
  if (shmreg_attach(segment, size, &options, &registry, &error) != SHMREG_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  CHECK(shmreg_writable(registry));
  registering(registry);
  finding(registry);
  waiting(registry);
  callers_of_all_kinds(registry);
  uint64_t removed = 0;
  uint32_t repaired = 1;
  CHECK(shmreg_collect_garbage(registry, &removed, &error) == SHMREG_OK);
  CHECK(shmreg_repair(registry, &repaired, &error) == SHMREG_OK && repaired == 0);
  shmreg_detach(registry);
  uint64_t services = 0;
  CHECK(shmreg_destroy_segment(segment, size, 1, NULL, &services, &error) == SHMREG_OK);
  if (failures == 0) puts("face: every function answered as shmreg.h says");
  return failures == 0 ? 0 : 1;
}
