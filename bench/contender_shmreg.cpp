// shmreg: this library by its public face, in a segment of its own that is removed afterwards.
//
// Services are registered by this process for itself, and released, so that they live as long as it
// does; a lookup checks that. A visitor is a Registration that is taken and given back.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <optional>
#include <string>

#include "contender.hpp"
#include "scratch.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::bench {
namespace {

CreateOptions options_for(std::size_t services) {
  constexpr std::size_t kPartitions = 64;
  CreateOptions options;
  // A fresh segment's index at its default size where that suffices, else as full as a table that
  // doubles at four fifths would be.
  const std::size_t per_partition = services / kPartitions + 1;
  options.initial_slots = static_cast<std::uint32_t>(
      std::max<std::size_t>(options.initial_slots, std::bit_ceil(per_partition * 5 / 4)));
  options.partitions = kPartitions;
  return options;
}

class Shmreg final : public Batched<Shmreg> {
 public:
  using Found = Service;

  ~Shmreg() override {
    if (!registry_) return;
    registry_.reset();
    try {
      destroy_segment(name_, true);
    } catch (const std::exception&) {
      // Whatever it was, the file itself goes with file_.
    }
  }

  void fill(const Workload& workload) override {
    create_segment(name_, options_for(workload.services()));
    AttachOptions options;
    options.access = Access::read_write;
    registry_ = Registry::attach(name_, options);
    for (const Key& key : workload.present()) {
      spec_.endpoint = value_of(key).view();
      registry_->register_service(key.view(), spec_).value().release();
    }
    bytes_ = registry_->info().value().bytes_used;
    spec_.endpoint = value_of(workload.visitors().front()).view();
  }

  bool find(const Key& key, Service& found) const {
    return registry_->lookup(key.view(), found) == Errc::ok;
  }
  static std::string_view endpoint(const Service& found) { return found.endpoint(); }

  // The value is what spec_ was set to: a program builds its specification once, not each time.
  bool visit(const Key& key, const Value& /*value*/) {
    Result<Registration> mine = registry_->register_service(key.view(), spec_);
    return mine.ok() && mine->unregister().ok();
  }

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

 private:
  const std::string name_ = "bench." + std::to_string(getpid());
  const ScratchFile file_{"/dev/shm/shmreg." + name_};
  std::optional<Registry> registry_;
  ServiceSpec spec_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Contender> make_shmreg() { return std::make_unique<Shmreg>(); }

}  // namespace shmreg::bench
