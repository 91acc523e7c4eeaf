// Segments as files: create, destroy, enumerate, and what may lie there in a segment's stead.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "shmreg/segment.hpp"
#include "support/child.hpp"
#include "support/resources.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

struct Thrown {
  Errc code = Errc::ok;
  std::string message;
};

template <class Call>
Thrown thrown_by(Call call) {
  try {
    (void)call();
  } catch (const Error& error) {
    return {error.errc(), error.what()};
  }
  return {};
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos;
}

mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

std::optional<SegmentInfo> listed(const std::string& name) {
  for (SegmentInfo& info : segments()) {
    if (info.name == name) return std::move(info);
  }
  return std::nullopt;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(segments_as_files)

BOOST_AUTO_TEST_CASE(a_segment_is_created_once) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  BOOST_TEST(create_segment(segment.name()));
  const Thrown again = thrown_by([&] { return create_segment(segment.name()); });
  BOOST_TEST((again.code == Errc::segment_exists));
  BOOST_TEST(is_one_line(again.message));
  CreateOptions options;
  options.if_missing = true;
  BOOST_TEST(create_segment(segment.name(), options) == false);
}

BOOST_AUTO_TEST_CASE(of_many_creators_at_once_one_creates) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  std::vector<std::unique_ptr<Child>> creators;
  for (int i = 0; i < 4; ++i) {
    creators.push_back(std::make_unique<Child>([&](const Parent& parent) {
      parent.await();
      CreateOptions options = small_segment();
      options.if_missing = true;
      const bool created = create_segment(segment.name(), options);
      // Complete as soon as it is there.
      CHILD_CHECK(segment.attach().register_service("a/" + std::to_string(::getpid())).ok());
      parent.tell(created ? 1 : 0);
      parent.linger();
    }));
  }
  for (auto& creator : creators) creator->tell();
  std::uint64_t created = 0;
  for (auto& creator : creators) created += creator->hear();
  BOOST_TEST(created == 1U);
}

BOOST_AUTO_TEST_CASE(attach_creates_where_it_is_told_to_and_the_segment_is_missing) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  const Thrown missing = thrown_by([&] { return segment.attach(); });
  BOOST_TEST((missing.code == Errc::no_such_segment));
  BOOST_TEST(is_one_line(missing.message));
  BOOST_TEST(missing.message.find(segment.name()) != std::string::npos);
  AttachOptions options;
  options.create = small_segment();
  auto registry = Registry::attach(segment.name(), options);
  BOOST_TEST(registry.info()->max_processes == 16U);
  options.create->max_processes = 4;
  BOOST_TEST(Registry::attach(segment.name(), options).info()->max_processes == 16U);
}

BOOST_AUTO_TEST_CASE(the_mode_is_what_was_asked_for_whatever_the_umask) {
  const mode_t before = ::umask(0077);
  CreateOptions options;
  options.mode = 0664;
  options.group = ::getgid();
  const ScratchSegment segment(options);
  ::umask(0);
  options.mode = 0600;
  const ScratchSegment other(options);
  ::umask(before);
  BOOST_TEST(mode_of(segment.path()) == 0664U);
  BOOST_TEST(mode_of(other.path()) == 0600U);
  BOOST_TEST(listed(segment.name())->mode == 0664U);
}

BOOST_AUTO_TEST_CASE(a_fresh_default_segment_takes_less_than_four_mebibytes) {
  const ScratchSegment segment;
  const auto info = listed(segment.name());
  BOOST_TEST_REQUIRE(info.has_value());
  BOOST_TEST(info->problem.ok());
  BOOST_TEST(info->bytes_limit == std::uint64_t{1} << 30);
  BOOST_TEST(info->bytes_used < std::uint64_t{4} << 20);
  // And attaching to it, reading all of it, claims nothing more.
  const auto reader = segment.reader();
  (void)reader.list();
  (void)reader.lookup("a/b");
  BOOST_TEST(listed(segment.name())->bytes_used == info->bytes_used);
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_refused_and_leave_nothing) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  const auto refused = [&](auto change) {
    CreateOptions options;
    change(options);
    const Thrown thrown = thrown_by([&] { return create_segment(segment.name(), options); });
    BOOST_TEST((thrown.code == Errc::invalid_argument));
    BOOST_TEST(is_one_line(thrown.message));
    BOOST_TEST(::access(segment.path().c_str(), F_OK) != 0);
  };
  refused([](CreateOptions& o) { o.max_size_bytes = 0; });
  refused([](CreateOptions& o) { o.max_size_bytes = (4 << 20) - 1; });
  refused([](CreateOptions& o) { o.max_size_bytes = (std::uint64_t{64} << 30) + 4096; });
  refused([](CreateOptions& o) { o.max_size_bytes = ~std::uint64_t{0}; });
  refused([](CreateOptions& o) { o.partitions = 3; });
  refused([](CreateOptions& o) { o.partitions = 8192; });
  refused([](CreateOptions& o) { o.max_processes = 0; });
  refused([](CreateOptions& o) { o.max_processes = 65535; });
  refused([](CreateOptions& o) { o.initial_slots = 8; });
  refused([](CreateOptions& o) { o.initial_slots = 100; });
  refused([](CreateOptions& o) { o.initial_slots = 131072; });
  refused([](CreateOptions& o) { o.mode = 01777; });
  // Each in range, together more than the limit holds.
  refused([](CreateOptions& o) {
    o.max_size_bytes = 4 << 20;
    o.max_processes = 65534;
  });
}

BOOST_AUTO_TEST_CASE(the_extremes_of_every_range_work) {
  const auto works = [](const CreateOptions& options) {
    const ScratchSegment segment(options);
    auto registry = segment.attach();
    BOOST_TEST(registry.register_service("a/b").ok());
    BOOST_TEST(doctor(segment.name()).problems.empty());
  };
  CreateOptions least;
  least.max_size_bytes = 4 << 20;
  least.partitions = 1;
  least.max_processes = 1;
  least.initial_slots = 16;
  works(least);
  CreateOptions largest;
  largest.max_size_bytes = std::uint64_t{64} << 30;
  works(largest);
  CreateOptions most = least;
  most.max_size_bytes = std::uint64_t{1} << 30;
  most.partitions = 4096;
  works(most);
  CreateOptions crowded = least;
  crowded.max_size_bytes = std::uint64_t{1} << 30;
  crowded.max_processes = 65534;
  works(crowded);
}

BOOST_AUTO_TEST_CASE(segment_names_that_break_the_rule_are_refused_by_every_call) {
  for (const std::string& name :
       std::vector<std::string>{"", ".hidden", "..", "a/b", "../x", "a b", "\xc3\xa4", "a\n",
                                std::string("a\0b", 3), std::string(65, 'n'), "*"}) {
    BOOST_TEST((thrown_by([&] { return create_segment(name); }).code == Errc::invalid_name));
    BOOST_TEST((thrown_by([&] { return destroy_segment(name); }).code == Errc::invalid_name));
    BOOST_TEST((thrown_by([&] { return doctor(name); }).code == Errc::invalid_name));
    const Thrown attach = thrown_by([&] { return Registry::attach(name); });
    BOOST_TEST((attach.code == Errc::invalid_name));
    BOOST_TEST(is_one_line(attach.message));
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_is_no_such_segment_for_every_call) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  BOOST_TEST((thrown_by([&] { return segment.attach(); }).code == Errc::no_such_segment));
  BOOST_TEST((thrown_by([&] { return segment.reader(); }).code == Errc::no_such_segment));
  BOOST_TEST(
      (thrown_by([&] { return destroy_segment(segment.name()); }).code == Errc::no_such_segment));
  BOOST_TEST((thrown_by([&] { return destroy_segment(segment.name(), true); }).code ==
              Errc::no_such_segment));
  BOOST_TEST((thrown_by([&] { return doctor(segment.name()); }).code == Errc::no_such_segment));
  BOOST_TEST(!listed(segment.name()).has_value());
}

// --- destroy -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_segment_in_use_is_destroyed_by_force_alone) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    registry.register_service("a/b").value().release();
    parent.tell();
    parent.linger();
  });
  owner.await();
  const Thrown refused = thrown_by([&] { return destroy_segment(segment.name()); });
  BOOST_TEST((refused.code == Errc::segment_in_use));
  BOOST_TEST(refused.message.find('1') != std::string::npos);
  BOOST_TEST(segment.reader().lookup("a/b").ok());
  BOOST_TEST(destroy_segment(segment.name(), true) == 1U);
  BOOST_TEST(::access(segment.path().c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(who_may_not_destroy_a_segment_keeps_nobody_else_from_it) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  BOOST_TEST(
      (thrown_by([&] { return destroy_segment(segment.name()); }).code == Errc::segment_in_use));
  Child administrator(
      [&](const Parent&) { CHILD_CHECK(destroy_segment(segment.name(), true) == 1); });
  BOOST_TEST(administrator.reap() == 0);
}

BOOST_AUTO_TEST_CASE(of_what_keeps_a_segment_rather_what_a_process_owns_is_named) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  for (int i = 0; i < 50; ++i) {
    BOOST_TEST(registry.register_for(Owner::permanent(), "a/" + std::to_string(i)).ok());
  }
  const auto said = [&] {
    return thrown_by([&] { return destroy_segment(segment.name()); }).message;
  };
  BOOST_TEST(said().find("50 services are registered in it, 'a/") != std::string::npos);
  BOOST_TEST(said().find("of pid") == std::string::npos);
  const auto mine = registry.register_service("b/mine").value();
  BOOST_TEST(said().find("51 services are registered in it, 'b/mine' of pid " +
                         std::to_string(::getpid()) + " (test_registry) among them") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_the_dead_have_left_keeps_no_segment) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    registry.register_service("a/b").value().release();
    parent.tell();
    parent.linger();
  });
  owner.await();
  owner.kill();
  BOOST_TEST(destroy_segment(segment.name()) == 0U);
}

BOOST_AUTO_TEST_CASE(who_is_attached_while_the_segment_is_destroyed_learns_at_its_next_write) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto mine = registry.register_service("a/b").value();
  Child administrator([&](const Parent&) { (void)destroy_segment(segment.name(), true); });
  BOOST_TEST_REQUIRE(administrator.reap() == 0);
  BOOST_TEST((registry.register_service("a/c").code() == Errc::segment_retired));
  BOOST_TEST((mine.update({}).code() == Errc::segment_retired));
  BOOST_TEST((registry.unregister("a/b").code() == Errc::segment_retired));
  BOOST_TEST((registry.renew("a/b", mine.id()).code() == Errc::segment_retired));
  // What it reads is the old segment still: an answer or an error, no harm.
  (void)registry.lookup("a/b");
  (void)registry.list();

  // A new one of the same name is another segment, and attach finds that one.
  create_segment(segment.name());
  auto anew = segment.attach();
  BOOST_TEST(anew.count().value() == 0U);
  BOOST_TEST(anew.register_service("a/b").ok());
  BOOST_TEST((registry.register_service("a/c").code() == Errc::segment_retired));
}

BOOST_AUTO_TEST_CASE(who_had_not_written_before_a_segment_was_destroyed_is_told_too) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  (void)destroy_segment(segment.name());
  BOOST_TEST((registry.register_service("a/b").code() == Errc::segment_retired));
}

BOOST_AUTO_TEST_CASE(a_file_removed_under_its_users_is_noticed_within_two_seconds) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto mine = registry.register_service("a/b").value();
  BOOST_TEST_REQUIRE(::unlink(segment.path().c_str()) == 0);
  Errc outcome = Errc::ok;
  for (int tenths = 0; tenths < 100 && outcome == Errc::ok; ++tenths) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    outcome = mine.update({}).code();
  }
  BOOST_TEST((outcome == Errc::segment_retired));
}

BOOST_AUTO_TEST_CASE(ids_ascend_from_one_segment_to_its_successor) {
  const ScratchSegment segment;
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    auto registry = segment.attach();
    const auto mine = registry.register_service("a/b").value();
    BOOST_TEST(mine.id() > last);
    last = mine.id();
    (void)destroy_segment(segment.name(), true);
    create_segment(segment.name());
  }
}

// --- in a segment's stead ------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused_without_being_followed_or_waited_for) {
  const ScratchSegment real;
  const auto refused = [](const ScratchSegment& place) {
    for (const Access access : {Access::prefer_write, Access::read_write, Access::read_only}) {
      const Thrown attach = thrown_by([&] { return place.attach(access); });
      BOOST_TEST((attach.code == Errc::incompatible));
      BOOST_TEST(is_one_line(attach.message));
    }
    BOOST_TEST((thrown_by([&] { return doctor(place.name()); }).code == Errc::incompatible));
    BOOST_TEST((thrown_by([&] { return destroy_segment(place.name()); }).code != Errc::ok));
    BOOST_TEST(
        (thrown_by([&] { return create_segment(place.name()); }).code == Errc::segment_exists));
    const auto info = listed(place.name());
    if (info) BOOST_TEST(!info->problem.ok());
  };
  {
    const ScratchSegment link{ScratchSegment::Absent{}};
    BOOST_TEST_REQUIRE(::symlink(real.path().c_str(), link.path().c_str()) == 0);
    refused(link);
  }
  {
    const ScratchSegment dangling{ScratchSegment::Absent{}};
    BOOST_TEST_REQUIRE(::symlink("/nonexistent/x", dangling.path().c_str()) == 0);
    refused(dangling);
  }
  {
    const ScratchSegment fifo{ScratchSegment::Absent{}};
    BOOST_TEST_REQUIRE(::mkfifo(fifo.path().c_str(), 0600) == 0);
    refused(fifo);
  }
  {
    const ScratchSegment directory{ScratchSegment::Absent{}};
    BOOST_TEST_REQUIRE(::mkdir(directory.path().c_str(), 0700) == 0);
    refused(directory);
  }
  BOOST_TEST(real.attach().register_service("a/b").ok());
}

BOOST_AUTO_TEST_CASE(attaching_and_examining_in_vain_leaves_no_descriptor_open) {
  const ScratchSegment garbage(std::vector<unsigned char>(8192, 'g'), 8192);
  const ScratchSegment sound;
  const auto try_all = [&] {
    (void)thrown_by([&] { return garbage.attach(); });
    (void)thrown_by([&] { return garbage.reader(); });
    (void)thrown_by([&] { return doctor(garbage.name()); });
    (void)doctor(sound.name());
    (void)sound.reader();
    (void)sound.attach().register_service("a/b");
    (void)segments();
  };
  try_all();
  const int before = open_descriptors();
  for (int i = 0; i < 20; ++i) try_all();
  BOOST_TEST(open_descriptors() <= before + 2);
}

BOOST_AUTO_TEST_CASE(looking_again_and_again_while_attached_leaves_no_descriptor_open) {
  const ScratchSegment sound;
  auto registry = sound.attach();
  const auto mine = registry.register_service("a/b").value();
  const auto look = [&] {
    (void)doctor(sound.name());
    (void)segments();
    (void)sound.reader();
  };
  look();
  const int before = open_descriptors();
  for (int i = 0; i < 20; ++i) look();
  BOOST_TEST(open_descriptors() <= before + 2);
}

BOOST_AUTO_TEST_SUITE_END()
