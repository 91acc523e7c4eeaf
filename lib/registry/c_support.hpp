// What every function of the C interface (shmreg.h) is made of: options of any size in, texts and
// arrays out into the caller's memory, outcomes told as a code and a message, no exception out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmreg.h"
#include "shmreg/registry.hpp"
#include "sys/thread.hpp"

// --- handles -------------------------------------------------------------------------------------

struct shmreg_registry {
  shmreg::Registry registry;
};
struct shmreg_registration {
  shmreg::Registration registration;
};
struct shmreg_list {
  std::vector<shmreg::Service> services;
};

namespace shmreg::c {

// --- outcomes ------------------------------------------------------------------------------------

// What a body returns: ok, an error of the library's, or a code of this interface.
class Outcome {
 public:
  Outcome() noexcept = default;
  Outcome(const Status& status)  // NOLINT(google-explicit-constructor)
      : code_(static_cast<int>(status.code())), message_(status.message()) {}
  Outcome(int code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  int code_ = SHMREG_OK;
  std::string message_;
};

[[nodiscard]] inline Outcome invalid(std::string message) {
  return {SHMREG_INVALID_ARGUMENT, std::move(message)};
}
[[nodiscard]] Outcome too_small(std::size_t needed);

// Puts an outcome into the caller's error, as much of it as that has room for; returns the code.
int tell(shmreg_error* error, int code, std::string_view message) noexcept;

// Frees what a handle stands for.
template <class Handle>
void dispose(Handle* handle) {
  const sys::NoCancellation no_cancellation;
  delete handle;
}

// Runs a body that returns an Outcome, and has nothing in it that a thread could be cancelled in: a
// lookup.
template <class Body>
int answered(shmreg_error* error, Body body) {
  try {
    const Outcome outcome = body();
    return tell(error, outcome.code(), outcome.message());
  } catch (const Error& failure) {
    return tell(error, static_cast<int>(failure.errc()), failure.what());
  } catch (const std::bad_alloc&) {
    return tell(error, SHMREG_OUT_OF_MEMORY, "this process has no more memory");
  } catch (const std::exception& failure) {
    return tell(error, SHMREG_SYSTEM_ERROR, failure.what());
  }
}

// Runs any other body.
template <class Body>
int guarded(shmreg_error* error, Body body) {
  const sys::NoCancellation no_cancellation;
  return answered(error, std::move(body));
}

// --- in ------------------------------------------------------------------------------------------

// A text that is longer than any may be is cut where it is too long, for the rules to refuse it; of
// a size that is no size at all (a negative number, say) nothing is read: it is refused as well.
[[nodiscard]] inline std::string_view view(const char* data, std::size_t size) noexcept {
  constexpr std::size_t kLongest = 65'536;
  if (data == nullptr) return {};
  if (size > std::numeric_limits<std::ptrdiff_t>::max()) return "\xff";
  return {data, std::min(size, kLongest + 1)};
}
[[nodiscard]] inline std::string_view view(const shmreg_text& text) noexcept {
  return view(text.data, text.size);
}

// Whether a structure of the caller's says how large it is: asked before anything is done of which
// it is to tell.
template <class Struct>
[[nodiscard]] Outcome check_size(const Struct* to, const char* what) {
  static_assert(offsetof(Struct, size) == 0);
  std::size_t size = 0;
  std::memcpy(&size, to, sizeof size);
  if (size >= sizeof size && size <= 65'536) return {};
  return invalid(std::string(what) + ".size is " + std::to_string(size) + ": it is to be sizeof(" +
                 what + ")");
}

// Options of the caller's, which may be of an earlier or a later version, as this one knows them.
template <class Options>
[[nodiscard]] Outcome take(const Options* given, Options& known, const char* what) {
  if (given == nullptr) return {};
  if (Outcome sized = check_size(given, what); sized.code() != SHMREG_OK) return sized;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  std::memcpy(&known, given, std::min(size, sizeof known));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof known; i < size; ++i) {
    if (bytes[i] != 0) {
      return invalid(std::string(what) + " asks for something that this version (" + version() +
                     ") does not know");
    }
  }
  return {};
}

// What is returned in a structure of the caller's: as much of it as that has.
template <class Struct>
[[nodiscard]] Outcome give(const Struct& full, Struct* to, const char* what) {
  if (Outcome sized = check_size(to, what); sized.code() != SHMREG_OK) return sized;
  std::size_t size = 0;
  std::memcpy(&size, to, sizeof size);
  auto* bytes = reinterpret_cast<unsigned char*>(to);
  const auto* from = reinterpret_cast<const unsigned char*>(&full);
  std::memcpy(bytes + sizeof size, from + sizeof size, std::min(size, sizeof full) - sizeof size);
  if (size > sizeof full) std::memset(bytes + sizeof full, 0, size - sizeof full);
  return {};
}

[[nodiscard]] Outcome take_spec(const shmreg_spec* given, ServiceSpec& spec);
[[nodiscard]] Outcome take_register_options(const shmreg_register_options* given,
                                            RegisterOptions& options);
[[nodiscard]] Outcome take_trust(const shmreg_trust_options* given, TrustOptions& trust);
[[nodiscard]] Outcome take_create_options(const shmreg_create_options* given,
                                          CreateOptions& options);
[[nodiscard]] Outcome take_texts(const shmreg_text* texts, std::size_t count,
                                 std::vector<std::string>& to);
[[nodiscard]] Outcome take_pairs(const shmreg_pair* pairs, std::size_t count,
                                 std::vector<std::pair<std::string, std::string>>& to);

// --- out -----------------------------------------------------------------------------------------

// Fills a buffer of the caller's from its front: arrays first, then texts. Counts what is needed
// also where there is no room.
class Packer {
 public:
  explicit Packer(shmreg_buffer* buffer) noexcept : buffer_(buffer) {}

  // Room for `count` of them; null where there is none.
  template <class T>
  [[nodiscard]] T* array(std::size_t count) {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    used_ = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    void* const at = reserve(count * sizeof(T));
    return static_cast<T*>(at);
  }
  [[nodiscard]] shmreg_text text(std::string_view text);

  // buffer_too_small where anything did not find room; says what is needed either way.
  [[nodiscard]] Outcome finish();

 private:
  [[nodiscard]] void* reserve(std::size_t bytes) noexcept;

  shmreg_buffer* buffer_;
  std::size_t used_ = 0;
};

// `found` may be null. Nothing of it is changed where the buffer is too small.
[[nodiscard]] Outcome give_service(const Service& service, shmreg_service* found,
                                   shmreg_buffer* buffer);
[[nodiscard]] Outcome give_endpoint(const Service& service, char* endpoint, std::size_t capacity,
                                    std::size_t* size);

// Cut at a character where it does not fit; always ends in a NUL.
void copy_text(std::string_view text, char* to, std::size_t capacity) noexcept;

template <std::size_t kSize>
void give_text(std::string_view text, char (&to)[kSize]) noexcept {
  copy_text(text, to, kSize);
}

// Rows of the caller's, of whatever version: as many as fit.
template <class Row>
[[nodiscard]] Outcome give_rows(const std::vector<Row>& from, Row* rows, std::size_t row_size,
                                std::size_t capacity, std::size_t* count) {
  if (count == nullptr) return invalid("count is null");
  if (row_size == 0 || row_size > 65'536) {
    return invalid("row_size is " + std::to_string(row_size) + ": it is to be the row's sizeof");
  }
  if (rows == nullptr && capacity != 0) return invalid("rows is null");
  *count = from.size();
  auto* bytes = reinterpret_cast<unsigned char*>(rows);
  for (std::size_t i = 0; i < std::min(capacity, from.size()); ++i) {
    std::memset(bytes + i * row_size, 0, row_size);
    std::memcpy(bytes + i * row_size, &from[i], std::min(row_size, sizeof(Row)));
  }
  return from.size() > capacity ? too_small(from.size() * row_size) : Outcome();
}

[[nodiscard]] inline Outcome null_pointer(const char* what) {
  return invalid(std::string(what) + " is null");
}

}  // namespace shmreg::c
