// boost_managed and boost_tuned: a hash table in Boost.Interprocess's managed shared memory.
//
// boost_managed is the way its manual shows: names as strings from the segment's allocator, a
// sharable mutex in the segment, the allocator's own lock besides. It is spared the copy of the
// name into the segment that a find would need without a transparent hash.
// boost_tuned has names in place, one robust mutex (the one kind that a killed holder does not
// leave locked for good) and no second lock within the allocator.
//
// Both unlink their file as soon as it is mapped, so that nothing is left behind however this ends.
#include <pthread.h>
#include <unistd.h>

#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/unordered/unordered_map.hpp>
#include <cerrno>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "contender.hpp"
#include "key_hash.hpp"

namespace shmreg::bench {
namespace {

namespace ipc = boost::interprocess;

// A managed segment of this process that has lost its name already.
template <class Memory>
Memory make_segment(const char* kind, std::size_t services) {
  constexpr std::size_t kBytesPerService = 288;  // what boost_managed needs, and a little
  constexpr std::size_t kBytesAtLeast = std::size_t{4} << 20;
  const std::string name = "shmreg_bench." + std::to_string(getpid()) + "." + kind;
  ipc::shared_memory_object::remove(name.c_str());
  Memory memory(ipc::create_only, name.c_str(), kBytesAtLeast + services * kBytesPerService);
  ipc::shared_memory_object::remove(name.c_str());
  return memory;
}

class BoostManaged final : public Batched<BoostManaged> {
 public:
  using Found = Value;

  void fill(const Workload& workload) override {
    memory_ = make_segment<Memory>("managed", workload.services());
    mutex_ = memory_.construct<ipc::interprocess_sharable_mutex>("mutex")();
    const std::size_t before = memory_.get_free_memory();
    map_ = memory_.construct<Map>("services")(workload.services(), Hash{}, Equal{},
                                              MapAllocator(memory_.get_segment_manager()));
    for (const Key& key : workload.present()) map_->emplace(text(key), value_of(key));
    bytes_ = before - memory_.get_free_memory();
  }

  bool find(const Key& key, Value& found) const {
    const ipc::sharable_lock<ipc::interprocess_sharable_mutex> lock(*mutex_);
    const auto at = map_->find(key.view());
    if (at == map_->end()) return false;
    found = at->second;
    return true;
  }
  static std::string_view endpoint(const Value& found) { return found.view(); }

  bool visit(const Key& key, const Value& value) {
    {
      const ipc::scoped_lock<ipc::interprocess_sharable_mutex> lock(*mutex_);
      if (!map_->emplace(text(key), value).second) return false;
    }
    const ipc::scoped_lock<ipc::interprocess_sharable_mutex> lock(*mutex_);
    return map_->erase(key.view()) == 1;
  }

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

 private:
  using Memory = ipc::managed_shared_memory;
  using TextAllocator = ipc::allocator<char, Memory::segment_manager>;
  using Text = ipc::basic_string<char, std::char_traits<char>, TextAllocator>;

  [[nodiscard]] static std::string_view view(const Text& text) {
    return {text.data(), text.size()};
  }
  [[nodiscard]] static std::string_view view(std::string_view text) { return text; }

  struct Hash {
    using is_avalanching = void;
    using is_transparent = void;
    std::size_t operator()(const auto& text) const noexcept { return KeyHash{}(view(text)); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const noexcept { return view(a) == view(b); }
  };
  using MapAllocator = ipc::allocator<std::pair<const Text, Value>, Memory::segment_manager>;
  using Map = boost::unordered_map<Text, Value, Hash, Equal, MapAllocator>;

  [[nodiscard]] Text text(const Key& key) const {
    return Text(key.text, key.length, TextAllocator(memory_.get_segment_manager()));
  }

  Memory memory_;
  ipc::interprocess_sharable_mutex* mutex_ = nullptr;
  Map* map_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// A process-shared robust mutex, in place.
class RobustMutex {
 public:
  RobustMutex() {
    pthread_mutexattr_t attributes;
    check(pthread_mutexattr_init(&attributes));
    check(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
    check(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    check(pthread_mutex_init(&mutex_, &attributes));
    pthread_mutexattr_destroy(&attributes);
  }
  RobustMutex(const RobustMutex&) = delete;
  RobustMutex& operator=(const RobustMutex&) = delete;
  ~RobustMutex() { pthread_mutex_destroy(&mutex_); }

  void lock() {
    const int problem = pthread_mutex_lock(&mutex_);
    if (problem == EOWNERDEAD) {
      check(pthread_mutex_consistent(&mutex_));
    } else {
      check(problem);
    }
  }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  static void check(int problem) {
    if (problem != 0) throw std::system_error(problem, std::generic_category(), "robust mutex");
  }

  pthread_mutex_t mutex_;
};

class BoostTuned final : public Batched<BoostTuned> {
 public:
  using Found = Value;

  void fill(const Workload& workload) override {
    memory_ = make_segment<Memory>("tuned", workload.services());
    mutex_ = memory_.construct<RobustMutex>(ipc::unique_instance)();
    const std::size_t before = memory_.get_free_memory();
    map_ = memory_.construct<Map>(ipc::unique_instance)(
        workload.services(), KeyHash{}, std::equal_to<Key>{},
        MapAllocator(memory_.get_segment_manager()));
    for (const Key& key : workload.present()) map_->emplace(key, value_of(key));
    bytes_ = before - memory_.get_free_memory();
  }

  bool find(const Key& key, Value& found) const {
    const std::lock_guard lock(*mutex_);
    const auto at = map_->find(key);
    if (at == map_->end()) return false;
    found = at->second;
    return true;
  }
  static std::string_view endpoint(const Value& found) { return found.view(); }

  bool visit(const Key& key, const Value& value) {
    {
      const std::lock_guard lock(*mutex_);
      if (!map_->emplace(key, value).second) return false;
    }
    const std::lock_guard lock(*mutex_);
    return map_->erase(key) == 1;
  }

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

 private:
  using Memory =
      ipc::basic_managed_shared_memory<char, ipc::rbtree_best_fit<ipc::null_mutex_family>,
                                       ipc::iset_index>;
  using MapAllocator = ipc::allocator<std::pair<const Key, Value>, Memory::segment_manager>;
  using Map = boost::unordered_map<Key, Value, KeyHash, std::equal_to<Key>, MapAllocator>;

  Memory memory_;
  RobustMutex* mutex_ = nullptr;
  Map* map_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Contender> make_boost_managed() { return std::make_unique<BoostManaged>(); }
std::unique_ptr<Contender> make_boost_tuned() { return std::make_unique<BoostTuned>(); }

}  // namespace shmreg::bench
