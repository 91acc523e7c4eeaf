// Running out: of process entries, of the segment's limit, of the file system, of what this process
// may have. An error with a sentence, and nothing that was there is lost.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/resources.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

CreateOptions smallest_segment() {
  CreateOptions options;
  options.max_size_bytes = std::uint64_t{4} << 20;
  options.partitions = 4;
  options.max_processes = 8;
  options.initial_slots = 16;
  return options;
}

const std::string kPayload(900, 'p');

// Registers "SPACE/0", "SPACE/1", ... until it is refused: how many, and why.
struct Filled {
  int count = 0;
  Errc why = Errc::ok;
  std::string message;
};
Filled fill(Registry& registry, const std::string& space, int at_most = 1'000'000) {
  Filled filled;
  while (filled.count < at_most) {
    auto mine = registry.register_service(space + "/" + std::to_string(filled.count),
                                          {.endpoint = kPayload});
    if (!mine.ok()) {
      filled.why = mine.code();
      filled.message = mine.message();
      break;
    }
    mine->release();
    ++filled.count;
  }
  return filled;
}

int found_of(const Registry& registry, const std::string& space, int count) {
  int found = 0;
  Service service;
  for (int i = 0; i < count; ++i) {
    if (registry.lookup(space + "/" + std::to_string(i), service) == Errc::ok &&
        service.endpoint() == kPayload) {
      ++found;
    }
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(limits)

BOOST_AUTO_TEST_CASE(a_full_process_table_is_an_error_that_readers_do_not_feel) {
  CreateOptions options = small_segment();
  options.max_processes = 2;
  const ScratchSegment segment(options);
  const auto hold = [&](const std::string& name) {
    return [&segment, name](const Parent& parent) {
      auto registry = segment.attach();
      registry.register_service(name).value().release();
      parent.tell();
      parent.linger();
    };
  };
  Child one(hold("a/one"));
  Child two(hold("a/two"));
  one.await();
  two.await();
  auto registry = segment.attach();
  const auto refused = registry.register_service("a/three");
  BOOST_TEST((refused.code() == Errc::process_table_full));
  BOOST_TEST(contains(refused.message(), "2 of 2"), refused.message());
  // Whichever of the two came first.
  BOOST_TEST((contains(refused.message(), std::to_string(one.pid())) ||
              contains(refused.message(), std::to_string(two.pid()))),
             refused.message());
  BOOST_TEST(!contains(refused.message(), "\n"));
  BOOST_TEST(registry.lookup("a/one").ok());
  BOOST_TEST(registry.list()->size() == 2U);
  BOOST_TEST(registry.info()->processes == 2U);
  // An entry is free as soon as its process has gone.
  one.kill();
  const auto mine = registry.register_service("a/three");
  BOOST_TEST(mine.ok(), mine.message());
  BOOST_TEST(registry.lookup("a/two").ok());
  BOOST_TEST(!registry.lookup("a/one").ok());
}

BOOST_AUTO_TEST_CASE(a_full_segment_is_an_error_and_loses_nothing) {
  const ScratchSegment segment(smallest_segment());
  auto registry = segment.attach();
  const Filled filled = fill(registry, "a");
  BOOST_TEST((filled.why == Errc::segment_full));
  BOOST_TEST(contains(filled.message, "4194304"), filled.message);
  BOOST_TEST(filled.count > 2'000);
  BOOST_TEST(found_of(registry, "a", filled.count) == filled.count);
  BOOST_TEST(registry.count().value() == static_cast<std::uint64_t>(filled.count));
  BOOST_TEST(registry.info()->bytes_used <= std::uint64_t{4} << 20);
  BOOST_TEST(doctor(segment.name()).problems.empty());

  // What is unregistered makes room for its like.
  for (int i = 0; i < 200; ++i) {
    const std::string name = "a/" + std::to_string(i);
    BOOST_TEST_REQUIRE(registry.unregister(name).value());
    auto again = registry.register_service(name, {.endpoint = kPayload});
    BOOST_TEST_REQUIRE(again.ok(), again.message());
    again->release();
  }
  // An update for which there is no room keeps the old.
  const auto updated = registry.update("a/0", {.endpoint = std::string(60'000, 'x')});
  BOOST_TEST((updated.code() == Errc::segment_full));
  BOOST_TEST(found_of(registry, "a", filled.count) == filled.count);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(the_dead_make_room_before_a_segment_is_full) {
  const ScratchSegment segment(smallest_segment());
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    CHILD_CHECK(fill(registry, "dead", 1'000).count == 1'000);
    parent.tell();
    parent.linger();
  });
  owner.await();
  auto registry = segment.attach();
  const Filled filled = fill(registry, "a");
  BOOST_TEST((filled.why == Errc::segment_full));
  owner.kill();
  // Every dead name can be taken, though there is no free record for any of them.
  const Filled taken = fill(registry, "dead", 1'000);
  BOOST_TEST(taken.count == 1'000, taken.message);
  BOOST_TEST(found_of(registry, "a", filled.count) == filled.count);
  BOOST_TEST(found_of(registry, "dead", 1'000) == 1'000);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(what_the_dead_leave_is_room_for_new_names_too) {
  const ScratchSegment segment(smallest_segment());
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    CHILD_CHECK(fill(registry, "dead").why == Errc::segment_full);
    parent.tell();
    parent.linger();
  });
  owner.await();
  owner.kill();
  auto registry = segment.attach();
  const Filled filled = fill(registry, "a");
  BOOST_TEST((filled.why == Errc::segment_full));
  BOOST_TEST(filled.count > 2'000);
  BOOST_TEST(found_of(registry, "a", filled.count) == filled.count);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

// Claim: a file system without room is an error at a register, never SIGBUS at a store; nothing is
// lost; and as soon as there is room it goes on. Method: a tmpfs of 3 MiB in a mount namespace.
BOOST_AUTO_TEST_CASE(a_full_file_system_is_an_error_and_loses_nothing) {
  if (!a_child_may([] { return mount_own_shm(3 << 20); })) {
    return skipped("may not mount a tmpfs of its own");
  }
  Child child([](const Parent&) {
    CHILD_CHECK(mount_own_shm(3 << 20));
    CreateOptions options = smallest_segment();
    options.max_size_bytes = std::uint64_t{1} << 30;
    create_segment("full", options);
    auto registry = Registry::attach("full");
    const Filled filled = fill(registry, "a");
    CHILD_CHECK(filled.why == Errc::no_space);
    CHILD_CHECK(contains(filled.message, "/dev/shm"));
    CHILD_CHECK(filled.count > 100);
    CHILD_CHECK(found_of(registry, "a", filled.count) == filled.count);
    CHILD_CHECK(registry.count().value() == static_cast<std::uint64_t>(filled.count));
    CHILD_CHECK(registry.unregister("a/0").value());
    CHILD_CHECK(registry.register_service("a/0", {.endpoint = kPayload}).ok());
    CHILD_CHECK(doctor("full").problems.empty());

    // Not even a small one more fits; what was refused has left nothing behind.
    CHILD_CHECK(fill(registry, "b").why == Errc::no_space);
    bool refused = false;
    try {
      create_segment("other");
    } catch (const Error& error) {
      refused = error.errc() == Errc::no_space;
    }
    CHILD_CHECK(refused);
    CHILD_CHECK(::access("/dev/shm/shmreg.other", F_OK) != 0);
    refused = false;
    try {
      CreateOptions reserve = smallest_segment();
      reserve.reserve = true;
      create_segment("reserved", reserve);
    } catch (const Error& error) {
      refused = error.errc() == Errc::no_space;
    }
    CHILD_CHECK(refused);
    CHILD_CHECK(::access("/dev/shm/shmreg.reserved", F_OK) != 0);

    CHILD_CHECK(::mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT, "size=6m") == 0);
    CHILD_CHECK(fill(registry, "c").count > 500);
    CHILD_CHECK(found_of(registry, "a", filled.count) >= filled.count - 1);
    CHILD_CHECK(doctor("full").problems.empty());
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(a_reserved_segment_has_its_room_whatever_else_fills_the_file_system) {
  if (!a_child_may([] { return mount_own_shm(8 << 20); })) {
    return skipped("may not mount a tmpfs of its own");
  }
  Child child([](const Parent&) {
    CHILD_CHECK(mount_own_shm(8 << 20));
    CreateOptions options = smallest_segment();
    options.reserve = true;
    create_segment("reserved", options);
    const int hog = ::open("/dev/shm/hog", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(1 << 16, 'h');
    while (::write(hog, block.data(), block.size()) > 0) {
    }
    auto registry = Registry::attach("reserved");
    CHILD_CHECK(registry.info()->bytes_used >= std::uint64_t{4} << 20);
    CHILD_CHECK(fill(registry, "a").why == Errc::segment_full);
    CHILD_CHECK(doctor("reserved").problems.empty());
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(a_file_size_limit_is_an_error_and_no_signal) {
  const ScratchSegment existing;
  const ScratchSegment absent{ScratchSegment::Absent{}};
  Child child([&](const Parent&) {
    CHILD_CHECK(limit(RLIMIT_FSIZE, 1 << 20));
    std::string message;
    try {
      create_segment(absent.name());
    } catch (const Error& error) {
      CHILD_CHECK(error.errc() == Errc::no_space);
      message = error.what();
    }
    CHILD_CHECK(contains(message, "ulimit -f"));
    CHILD_CHECK(::access(absent.path().c_str(), F_OK) != 0);
    // The file of an existing one already has its size.
    auto registry = existing.attach();
    CHILD_CHECK(fill(registry, "a", 3'000).count == 3'000);
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(an_address_space_limit_is_an_error_that_names_it) {
  if (kSanitized) return skipped("a sanitizer needs more address space than any limit leaves");
  const ScratchSegment segment;
  Child child([&](const Parent&) {
    CHILD_CHECK(limit(RLIMIT_AS, std::size_t{512} << 20));
    std::string message;
    try {
      (void)segment.attach();
    } catch (const Error& error) {
      CHILD_CHECK(error.errc() == Errc::no_space);
      message = error.what();
    }
    CHILD_CHECK(contains(message, "ulimit -v"));
    CHILD_CHECK(limit(RLIMIT_AS, RLIM_INFINITY));
    CHILD_CHECK(segment.attach().register_service("a/b").ok());
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(without_a_thread_to_be_had_writing_is_an_error_and_reading_works) {
  if (!a_child_may(become_nobody)) return skipped("may not become another user");
  if (kSanitized) return skipped("a sanitizer has a thread of its own");
  CreateOptions options;
  options.mode = 0666;
  const ScratchSegment segment(options);
  auto owner = segment.attach();
  const auto mine = owner.register_service("a/mine").value();
  Child child([&](const Parent&) {
    // Root is under no such limit.
    CHILD_CHECK(limit(RLIMIT_NPROC, 0));
    CHILD_CHECK(become_nobody());
    auto registry = segment.attach(Access::read_write);
    const auto refused = registry.register_service("a/b");
    CHILD_CHECK(refused.code() == Errc::no_space);
    CHILD_CHECK(contains(refused.message(), "thread"));
    CHILD_CHECK(registry.lookup("a/mine").ok());
    CHILD_CHECK(limit(RLIMIT_NPROC, 1'000));
    CHILD_CHECK(registry.register_service("a/b").ok());
    // To have had no thread for a while says nothing about the kernel.
    CHILD_CHECK(registry.processes()->back().liveness == Liveness::kernel_mark);
  });
  BOOST_TEST(child.reap() == 0);
  BOOST_TEST(owner.processes()->size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_cancel_is_not_lost_where_a_watch_gets_no_thread) {
  if (!a_child_may(become_nobody)) return skipped("may not become another user");
  if (kSanitized) return skipped("a sanitizer has a thread of its own");
  CreateOptions options;
  options.mode = 0644;
  const ScratchSegment segment(options);
  Child child([&](const Parent&) {
    CHILD_CHECK(limit(RLIMIT_NPROC, 0));
    CHILD_CHECK(become_nobody());
    Watch watch = segment.reader().watch().value();
    watch.cancel();
    CHILD_CHECK(watch.descriptor().code() == Errc::no_space);
    WatchEvent event;
    CHILD_CHECK(watch.next(event, std::chrono::seconds(0)).code() == Errc::cancelled);
    CHILD_CHECK(!watch.next(event, std::chrono::seconds(0)).value());
    CHILD_CHECK(limit(RLIMIT_NPROC, 1'000));
    CHILD_CHECK(watch.descriptor().ok());
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(a_process_without_descriptors_left_still_registers_and_finds) {
  const ScratchSegment segment;
  Child other([](const Parent& parent) { parent.linger(); });
  Child child([&](const Parent&) {
    auto registry = segment.attach();
    CHILD_CHECK(registry.register_service("a/one").ok());
    auto held = registry.register_service("a/held").value();
    CHILD_CHECK(registry.register_for(Owner::process(other.pid()), "a/by_pid").ok());
    CHILD_CHECK(limit(RLIMIT_NOFILE, 0));
    CHILD_CHECK(registry.lookup("a/held").ok());
    CHILD_CHECK(registry.lookup("a/by_pid").ok());
    CHILD_CHECK(registry.list()->size() == 2);
    CHILD_CHECK(registry.register_service("a/two", {.endpoint = kPayload}).ok());
    CHILD_CHECK(held.update({.endpoint = kPayload}).ok());
    CHILD_CHECK(registry.lookup("a/held")->endpoint() == kPayload);
  });
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
