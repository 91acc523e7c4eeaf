#include <shmreg.h>
#include <stdio.h>

int main(int count, char** words) {
  shmreg_text segment = shmreg_text_of(count > 1 ? words[1] : "default");
  shmreg_text name = shmreg_text_of("production/config_server");
  shmreg_create_options create = {.size = sizeof create};
  shmreg_attach_options options = {.size = sizeof options, .create = &create};
  shmreg_spec spec = {.size = sizeof spec, .endpoint = shmreg_text_of("tcp://127.0.0.1:4000")};
  shmreg_error error = {.size = sizeof error};
  shmreg_registry* registry;
  shmreg_registration* mine;
  char endpoint[256];
  if (shmreg_attach(segment.data, segment.size, &options, &registry, &error) ||
      shmreg_register(registry, name.data, name.size, &spec, NULL, &mine, &error) ||
      shmreg_lookup_endpoint(registry, name.data, name.size, endpoint, sizeof endpoint, NULL,
                             &error)) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  puts(endpoint);
  getchar(); /* registered until here, or until the kernel ends this process */
  shmreg_registration_free(mine);
  shmreg_detach(registry);
}
