#include "core/record_image.hpp"

namespace shmreg::core {

using layout::AttributeHead;
using layout::AttributeKind;
using layout::kRecordHeaderBytes;

std::optional<RecordView> RecordView::of(std::span<const unsigned char> bytes) noexcept {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  RecordView view;
  std::memcpy(&view.header_, bytes.data(), sizeof view.header_);
  if (!view.header_.plausible() || view.header_.bytes() > bytes.size()) return std::nullopt;
  view.bytes_ = bytes;
  if (view.key()[view.header_.namespace_bytes] != '/') return std::nullopt;
  return view;
}

std::optional<layout::EntryLife> RecordView::owner_life() const noexcept {
  const auto entry = static_cast<std::uint32_t>(header_.owner);
  if (entry == 0) return std::nullopt;
  return layout::EntryLife{entry - 1, static_cast<std::uint32_t>(header_.owner >> 32)};
}

std::string_view RecordView::process_attribute() const noexcept {
  constexpr std::size_t kLeast = sizeof(layout::ProcessAttribute);
  AttributeReader reader(attributes());
  while (const auto attribute = reader.next()) {
    const std::string_view value = attribute->value;
    if (attribute->kind == AttributeKind::process && value.size() >= kLeast &&
        value.size() <= kLeast + layout::kMaxProgramBytes) {
      return value;
    }
  }
  return {};
}

std::optional<sys::ProcessIdentity> RecordView::owner_process() const noexcept {
  const std::string_view value = process_attribute();
  if (value.empty()) return std::nullopt;
  layout::ProcessAttribute process{};
  std::memcpy(&process, value.data(), sizeof process);
  return sys::ProcessIdentity{process.pid, process.start_ticks, process.pid_namespace};
}

std::string_view RecordView::owner_program() const noexcept {
  const std::string_view value = process_attribute();
  return value.empty() ? value : value.substr(sizeof(layout::ProcessAttribute));
}

std::uint64_t RecordView::period_ns() const noexcept {
  AttributeReader reader(attributes());
  while (const auto attribute = reader.next()) {
    std::uint64_t period = 0;
    if (attribute->kind != AttributeKind::period || attribute->value.size() != sizeof period) {
      continue;
    }
    std::memcpy(&period, attribute->value.data(), sizeof period);
    return period;
  }
  return 0;
}

std::optional<Attribute> AttributeReader::next() noexcept {
  AttributeHead head{};
  if (rest_.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, rest_.data(), sizeof head);
  const std::size_t bytes = sizeof head + head.key_bytes + head.value_bytes;
  if (bytes > rest_.size()) return std::nullopt;
  const Attribute attribute{static_cast<AttributeKind>(head.kind),
                            rest_.substr(sizeof head, head.key_bytes),
                            rest_.substr(sizeof head + head.key_bytes, head.value_bytes)};
  rest_.remove_prefix(bytes);
  return attribute;
}

void append_attribute(std::vector<unsigned char>& to, AttributeKind kind, std::string_view key,
                      std::string_view value) {
  const AttributeHead head{static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(key.size()),
                           static_cast<std::uint16_t>(value.size())};
  for (const std::string_view part : {bytes_of(head), key, value}) {
    to.insert(to.end(), part.begin(), part.end());
  }
}

}  // namespace shmreg::core
