// Claim: a process that attaches is looked after from then on by those that were attached before,
// and not only once they come round. Method: one keeper that has just begun to wait (for a second
// at most) and a newcomer that is killed at once; how soon the keeper notes it. Who is not told of
// the newcomer is late each time, in each of many tries.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

// Until somebody has noted how the name's last registration ended.
void await_note(const Registry& registry, const std::string& name) {
  for (;;) {
    const auto last = registry.last_known(name).value();
    if (last && last->at_ns != 0) return;
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(neighbours)

BOOST_AUTO_TEST_CASE(a_newcomer_is_looked_after_at_once) {
  constexpr auto kPrompt = 500ms;
  auto least_late = 10'000ms;
  for (int i = 0; i < 20 && least_late >= kPrompt; ++i) {
    const ScratchSegment segment(small_segment());
    Child keeper([&](const Parent& parent) {
      auto registry = segment.attach();
      const auto mine = registry.register_service("n/keeper").value();
      parent.tell();
      parent.await();
      await_note(registry, "n/newcomer");
      parent.tell();
      parent.linger();
    });
    keeper.await();
    Child newcomer([&](const Parent& parent) {
      auto registry = segment.attach();
      const auto mine = registry.register_service("n/newcomer").value();
      parent.tell();
      stay_until_killed();
    });
    newcomer.await();
    newcomer.kill();
    const auto killed = std::chrono::steady_clock::now();
    keeper.tell();
    keeper.await();
    const auto late = std::chrono::steady_clock::now() - killed;
    least_late = std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(late));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_SUITE_END()
