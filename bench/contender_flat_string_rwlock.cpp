// flat_string_rwlock: what a program writes that needs a registry for its own threads only. The
// same table with std::string names under a reader-writer lock.
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "contender.hpp"
#include "key_hash.hpp"

namespace shmreg::bench {
namespace {

class FlatStringRwlock final : public Batched<FlatStringRwlock> {
 public:
  using Found = Value;

  void fill(const Workload& workload) override {
    const std::uint64_t before = heap_bytes();
    map_.reserve(workload.services());
    for (const Key& key : workload.present()) map_.emplace(key.view(), value_of(key));
    bytes_ = heap_bytes() - before;
  }

  bool find(const Key& key, Value& found) const {
    const std::shared_lock lock(mutex_);
    const auto at = map_.find(key.view());
    if (at == map_.end()) return false;
    found = at->second;
    return true;
  }
  static std::string_view endpoint(const Value& found) { return found.view(); }

  bool visit(const Key& key, const Value& value) {
    {
      const std::unique_lock lock(mutex_);
      if (!map_.emplace(key.view(), value).second) return false;
    }
    const std::unique_lock lock(mutex_);
    return map_.erase(key.view()) == 1;
  }

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

 private:
  mutable std::shared_mutex mutex_;
  boost::unordered_flat_map<std::string, Value, KeyHash, std::equal_to<>> map_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Contender> make_flat_string_rwlock() {
  return std::make_unique<FlatStringRwlock>();
}

}  // namespace shmreg::bench
