// lmdb: a B+ tree in a mapped file, with transactions; here on tmpfs and never synced.
//
// Its best way for each: a lookup renews and resets one read transaction (opening one each time is
// slower), a change is a transaction of its own, as every registration is. Written through the map
// (MDB_WRITEMAP), without which a commit is a system call more.
// The files are unlinked once they are open, so that nothing is left behind however this ends.
#include "contender.hpp"

#ifdef SHMREG_HAVE_LMDB

#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace shmreg::bench {
namespace {

void check(int problem) {
  if (problem != 0) throw std::runtime_error(std::string("lmdb: ") + mdb_strerror(problem));
}

MDB_val bytes_of(const Key& key) { return {key.length, const_cast<char*>(key.text)}; }
MDB_val bytes_of(const Value& value) { return {sizeof(value), const_cast<Value*>(&value)}; }

class Lmdb final : public Batched<Lmdb> {
 public:
  using Found = Value;

  ~Lmdb() override {
    if (reader_ != nullptr) mdb_txn_abort(reader_);
    if (environment_ != nullptr) mdb_env_close(environment_);
  }

  void fill(const Workload& workload) override {
    constexpr std::size_t kBytesPerService = 512;  // a limit, not a claim
    const std::string path = "/dev/shm/shmreg_bench." + std::to_string(getpid()) + ".lmdb";
    check(mdb_env_create(&environment_));
    check(mdb_env_set_mapsize(environment_,
                              (std::size_t{16} << 20) + workload.services() * kBytesPerService));
    const int opened = mdb_env_open(environment_, path.c_str(),
                                    MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP | MDB_NORDAHEAD, 0600);
    unlink(path.c_str());
    unlink((path + "-lock").c_str());
    check(opened);

    MDB_txn* writer = nullptr;
    check(mdb_txn_begin(environment_, nullptr, 0, &writer));
    check(mdb_dbi_open(writer, nullptr, 0, &database_));
    for (const Key& key : workload.present()) {
      MDB_val name = bytes_of(key);
      const Value value = value_of(key);
      MDB_val data = bytes_of(value);
      check(mdb_put(writer, database_, &name, &data, MDB_NOOVERWRITE));
    }
    check(mdb_txn_commit(writer));
    check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_));
    mdb_txn_reset(reader_);
  }

  bool find(const Key& key, Value& found) {
    if (mdb_txn_renew(reader_) != 0) return false;
    MDB_val name = bytes_of(key);
    MDB_val data;
    const bool is_there =
        mdb_get(reader_, database_, &name, &data) == 0 && data.mv_size == sizeof(found);
    if (is_there) std::memcpy(&found, data.mv_data, sizeof(found));
    mdb_txn_reset(reader_);
    return is_there;
  }
  static std::string_view endpoint(const Value& found) { return found.view(); }

  bool visit(const Key& key, const Value& value) {
    MDB_val name = bytes_of(key);
    MDB_val data = bytes_of(value);
    return change([&](MDB_txn* writer) {
             return mdb_put(writer, database_, &name, &data, MDB_NOOVERWRITE);
           }) &&
           change([&](MDB_txn* writer) { return mdb_del(writer, database_, &name, nullptr); });
  }

  [[nodiscard]] std::uint64_t bytes() const override {
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(environment_, &info) != 0 || mdb_env_stat(environment_, &stat) != 0) return 0;
    return (info.me_last_pgno + 1) * stat.ms_psize;
  }

 private:
  template <class Change>
  bool change(Change&& change) {
    MDB_txn* writer = nullptr;
    if (mdb_txn_begin(environment_, nullptr, 0, &writer) != 0) return false;
    if (change(writer) != 0) {
      mdb_txn_abort(writer);
      return false;
    }
    return mdb_txn_commit(writer) == 0;
  }

  MDB_env* environment_ = nullptr;
  MDB_dbi database_ = 0;
  MDB_txn* reader_ = nullptr;
};

}  // namespace

std::unique_ptr<Contender> make_lmdb() { return std::make_unique<Lmdb>(); }

}  // namespace shmreg::bench

#else

namespace shmreg::bench {

std::unique_ptr<Contender> make_lmdb() { return nullptr; }

}  // namespace shmreg::bench

#endif
