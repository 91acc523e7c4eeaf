// flat: the floor to hold against. A hash table in this process's own memory, name and value in
// place, no lock, no liveness, no sharing: nothing that a registry can do is cheaper.
#include <boost/unordered/unordered_flat_map.hpp>

#include "contender.hpp"
#include "key_hash.hpp"

namespace shmreg::bench {
namespace {

class Flat final : public Batched<Flat> {
 public:
  using Found = Value;

  void fill(const Workload& workload) override {
    const std::uint64_t before = heap_bytes();
    map_.reserve(workload.services());
    for (const Key& key : workload.present()) map_.emplace(key, value_of(key));
    bytes_ = heap_bytes() - before;
  }

  bool find(const Key& key, Value& found) const {
    const auto at = map_.find(key);
    if (at == map_.end()) return false;
    found = at->second;
    return true;
  }
  static std::string_view endpoint(const Value& found) { return found.view(); }

  bool visit(const Key& key, const Value& value) {
    return map_.emplace(key, value).second && map_.erase(key) == 1;
  }

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

 private:
  boost::unordered_flat_map<Key, Value, KeyHash> map_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Contender> make_flat() { return std::make_unique<Flat>(); }

}  // namespace shmreg::bench
