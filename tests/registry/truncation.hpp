// A segment with services in it, truncated to every kind of length while processes are attached;
// and what must come of whatever they do then. In children: CHILD_CHECK.
#pragma once

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "layout/header.hpp"
#include "layout/units.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {

inline constexpr int kServices = 400;
inline constexpr int kDiedOfSigbus = 128 + SIGBUS;

inline std::string name_of(int i) { return "a/" + std::to_string(i); }
// Small ones and such as lie in several pages.
inline ServiceSpec spec_of(int i) {
  ServiceSpec spec;
  spec.endpoint = "tcp://127.0.0.1:" + std::to_string(i);
  if (i % 10 == 0) spec.endpoint += std::string(6000, 'x');
  return spec;
}

inline void truncate(const ScratchSegment& segment, std::uint64_t bytes) {
  BOOST_TEST_REQUIRE(::truncate(segment.path().c_str(), static_cast<off_t>(bytes)) == 0);
}

inline std::uint64_t length_of(const ScratchSegment& segment) {
  struct stat st {};
  BOOST_TEST_REQUIRE(::stat(segment.path().c_str(), &st) == 0);
  return static_cast<std::uint64_t>(st.st_size);
}

// What is wanted of the header, read from the file.
struct Head {
  layout::Identity fixed;
  std::uint64_t claimed_end;
  std::uint64_t heap_top;
};

inline Head head_of(const ScratchSegment& segment) {
  const std::vector<unsigned char> bytes = segment.read(sizeof(layout::Header));
  Head head{};
  BOOST_TEST_REQUIRE(bytes.size() == sizeof(layout::Header));
  std::memcpy(&head.fixed, bytes.data(), sizeof head.fixed);
  std::memcpy(&head.claimed_end, bytes.data() + offsetof(layout::Header, claimed_end), 8);
  std::memcpy(&head.heap_top, bytes.data() + offsetof(layout::Header, heap_top), 8);
  return head;
}

// The last boundary of pages that cuts through an endpoint of spec_of().
inline std::uint64_t within_a_large_record(const ScratchSegment& segment, std::uint64_t end) {
  const std::vector<unsigned char> bytes = segment.read(end);
  for (std::uint64_t at = bytes.size() / 4096 * 4096; at > 4096; at -= 4096) {
    if (at < bytes.size() && bytes[at - 1] == 'x' && bytes[at] == 'x') return at;
  }
  BOOST_FAIL("no large record");
  return 0;
}

// Lengths of every kind, for a segment that holds what fill() registers.
inline std::vector<std::uint64_t> lengths(const ScratchSegment& segment) {
  const Head head = head_of(segment);
  const layout::Identity& fixed = head.fixed;
  const std::uint64_t claimed = head.claimed_end;
  const std::uint64_t top = head.heap_top * layout::kGranuleBytes;
  const std::uint64_t middle = (fixed.heap_offset + top) / 2 / 4096 * 4096;
  return {0,
          1,
          100,
          4096,
          fixed.processes_offset + 200,  // within the process table
          fixed.owner_lists_offset,
          fixed.partitions_offset + 100,
          fixed.run_map_offset,
          fixed.heap_offset,
          fixed.heap_offset + 64,  // within the first index
          middle,
          middle + 1234,
          top - 4096,
          claimed - 4096,
          within_a_large_record(segment, top),
          claimed + 8192};  // nothing that is in use
}

// Whether what is in use is gone, wholly or in part.
inline bool takes_something(const ScratchSegment& segment, std::uint64_t bytes) {
  return bytes < head_of(segment).claimed_end;
}

// As in a program that knows nothing of signals, whatever handler the test has (a sanitizer's).
inline void leave_sigbus_to_the_kernel() { ::signal(SIGBUS, SIG_DFL); }

inline bool says_so(Errc code, const std::string& message) {
  if (code == Errc::corrupt && message.find("truncated while attached") != std::string::npos &&
      message.find('\n') == std::string::npos) {
    return true;
  }
  std::fprintf(stderr, "in a child: %s: %s\n", describe(code), message.c_str());
  return false;
}
inline bool says_so(const Status& status) { return says_so(status.code(), status.message()); }
template <class T>
bool says_so(const Result<T>& result) {
  return says_so(result.code(), result.message());
}

inline std::vector<Registration> fill(Registry& registry) {
  std::vector<Registration> mine;
  for (int i = 0; i < kServices; ++i) {
    mine.push_back(registry.register_service(name_of(i), spec_of(i)).value());
  }
  return mine;
}

// Every lookup: as it was, or an error. `all_is_there`: nothing but as it was.
inline void check_lookups(const Registry& registry, bool all_is_there = false) {
  for (int i = 0; i < kServices; ++i) {
    Service found;
    const Errc outcome = registry.lookup(name_of(i), found);
    CHILD_CHECK(outcome == Errc::ok || (outcome == Errc::corrupt && !all_is_there));
    if (outcome == Errc::ok) CHILD_CHECK(found.endpoint() == spec_of(i).endpoint);
    if (outcome != Errc::ok) CHILD_CHECK(says_so(registry.lookup(name_of(i))));
  }
  // Nobody can know that there is no such service.
  Service found;
  const Errc missing = all_is_there ? Errc::not_found : Errc::corrupt;
  for (const char* name : {"a/missing", "b/missing", "missing"}) {
    CHILD_CHECK(registry.lookup(name, found) == missing);
  }
}

inline void check_lists(const Registry& registry) {
  CHILD_CHECK(says_so(registry.list()));
  CHILD_CHECK(says_so(registry.list("a")));
  CHILD_CHECK(says_so(registry.count()));
  CHILD_CHECK(says_so(registry.namespaces()));
  CHILD_CHECK(says_so(registry.info()));
  CHILD_CHECK(says_so(registry.processes()));
}

inline void check_writes(Registry& registry, std::vector<Registration>& mine) {
  CHILD_CHECK(says_so(registry.register_service("a/new")));
  CHILD_CHECK(says_so(registry.register_service(name_of(1), {}, {.replace = true})));
  CHILD_CHECK(says_so(registry.register_for(Owner::permanent(), "a/static")));
  CHILD_CHECK(says_so(registry.register_for(Owner::process(::getpid(), true), "a/pid")));
  CHILD_CHECK(says_so(registry.register_for(Owner::time_to_live(std::chrono::hours(1)), "a/ttl")));
  CHILD_CHECK(says_so(registry.unregister(name_of(2), {.force = true})));
  CHILD_CHECK(says_so(registry.update(name_of(3), {})));
  CHILD_CHECK(says_so(registry.renew(name_of(4), 1)));
  CHILD_CHECK(says_so(mine[5].update({})));
  CHILD_CHECK(says_so(mine[6].unregister()));
  mine[7].release();
  mine[8] = Registration();
  CHILD_CHECK(says_so(registry.register_service("a/new")));
}

// A child of each kind for each length: `first` is what it does before anything else has told the
// library that memory is gone.
template <class First>
void at_every_length(First first) {
  std::size_t count = 0;
  {
    const ScratchSegment segment(small_segment());
    auto registry = segment.attach();
    const auto mine = fill(registry);
    count = lengths(segment).size();
  }
  for (std::size_t i = 0; i < count; ++i) {
    const ScratchSegment segment(small_segment());
    Child child([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      {
        auto registry = segment.attach();
        auto mine = fill(registry);
        parent.tell();
        const bool something_gone = parent.hear() != 0;
        first(registry, mine, something_gone);
        check_lists(registry);
        check_lookups(registry, false);
        check_writes(registry, mine);
      }
      parent.tell();  // and all destructors have run
    });
    child.await();
    const std::uint64_t length = lengths(segment).at(i);
    const bool something_gone = takes_something(segment, length);
    BOOST_TEST_CONTEXT("truncated to " << length) {
      truncate(segment, length);
      child.tell(something_gone ? 1 : 0);
      BOOST_CHECK_NO_THROW(child.await());
      BOOST_TEST(child.reap() == 0);
      BOOST_TEST(length_of(segment) == length);
    }
  }
}

}  // namespace shmreg::test
