// A /dev/shm that this process and its children have to themselves, for as long as this lives.
// Needs privileges, and a process of one thread; without them it is the one that everybody has.
#pragma once

namespace torture {

class OwnShm {
 public:
  OwnShm();
  OwnShm(const OwnShm&) = delete;
  OwnShm& operator=(const OwnShm&) = delete;
  ~OwnShm();

  [[nodiscard]] bool is_own() const noexcept { return own_; }

 private:
  int everybodys_ = -1;  // mount namespace
  int directory_ = -1;   // and where we were in it
  bool own_ = false;
};

}  // namespace torture
