// A record in one's own memory: composed by a writer before the lock is taken, read by a reader
// after it was copied out. Everything that looks into a record's bytes does it here, on a private
// copy, with its lengths held against the copy's size.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/liveness.hpp"
#include "layout/record.hpp"

namespace shmreg::core {

// One attribute, as it lies in a record's copy.
struct Attribute {
  layout::AttributeKind kind{};
  std::string_view key;
  std::string_view value;
};

class RecordView {
 public:
  // Nothing where the lengths contradict each other or `bytes` is too small for them.
  [[nodiscard]] static std::optional<RecordView> of(std::span<const unsigned char> bytes) noexcept;

  [[nodiscard]] const layout::RecordHeader& header() const noexcept { return header_; }
  [[nodiscard]] std::string_view key() const noexcept {
    return text(layout::kRecordHeaderBytes, header_.key_bytes);
  }
  [[nodiscard]] std::string_view namespace_name() const noexcept {
    return key().substr(0, header_.namespace_bytes);
  }
  [[nodiscard]] std::string_view endpoint() const noexcept {
    return text(layout::kRecordHeaderBytes + header_.key_bytes, header_.endpoint_bytes);
  }
  [[nodiscard]] std::string_view attributes() const noexcept {
    return text(layout::kRecordHeaderBytes + header_.key_bytes + header_.endpoint_bytes,
                header_.attribute_bytes);
  }

  // The owner's life, if the record is bound to an entry.
  [[nodiscard]] std::optional<layout::EntryLife> owner_life() const noexcept;
  [[nodiscard]] std::optional<sys::ProcessIdentity> owner_process() const noexcept;
  // What that process was called when it was registered; empty where that is not known.
  [[nodiscard]] std::string_view owner_program() const noexcept;
  [[nodiscard]] std::uint64_t period_ns() const noexcept;  // of a ttl; 0 where there is none

 private:
  // The value of the attribute that names the process; empty where there is none of its size.
  [[nodiscard]] std::string_view process_attribute() const noexcept;
  [[nodiscard]] std::string_view text(std::size_t at, std::size_t bytes) const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()) + at, bytes};
  }

  layout::RecordHeader header_{};
  std::span<const unsigned char> bytes_;
};

// Whether it is no service but what leads to a shared name's instances.
[[nodiscard]] inline bool is_anchor(const RecordView& record) noexcept {
  return (record.header().flags & layout::kAnchor) != 0;
}

// Walks attributes; stops at the first that does not fit what is left.
class AttributeReader {
 public:
  explicit AttributeReader(std::string_view bytes) noexcept : rest_(bytes) {}
  [[nodiscard]] std::optional<Attribute> next() noexcept;
  // Whether everything was read and made sense.
  [[nodiscard]] bool complete() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
};

void append_attribute(std::vector<unsigned char>& to, layout::AttributeKind kind,
                      std::string_view key, std::string_view value);

template <class T>
[[nodiscard]] std::string_view bytes_of(const T& value) noexcept {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace shmreg::core
