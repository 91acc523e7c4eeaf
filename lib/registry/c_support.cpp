#include "registry/c_support.hpp"

#include <utility>

namespace shmreg::c {

// The codes are the same numbers.
static_assert(static_cast<int>(Errc::not_found) == SHMREG_NOT_FOUND);
static_assert(static_cast<int>(Errc::already_registered) == SHMREG_ALREADY_REGISTERED);
static_assert(static_cast<int>(Errc::not_owner) == SHMREG_NOT_OWNER);
static_assert(static_cast<int>(Errc::invalid_name) == SHMREG_INVALID_NAME);
static_assert(static_cast<int>(Errc::invalid_argument) == SHMREG_INVALID_ARGUMENT);
static_assert(static_cast<int>(Errc::owner_not_alive) == SHMREG_OWNER_NOT_ALIVE);
static_assert(static_cast<int>(Errc::registration_lost) == SHMREG_REGISTRATION_LOST);
static_assert(static_cast<int>(Errc::no_such_segment) == SHMREG_NO_SUCH_SEGMENT);
static_assert(static_cast<int>(Errc::segment_exists) == SHMREG_SEGMENT_EXISTS);
static_assert(static_cast<int>(Errc::segment_in_use) == SHMREG_SEGMENT_IN_USE);
static_assert(static_cast<int>(Errc::segment_retired) == SHMREG_SEGMENT_RETIRED);
static_assert(static_cast<int>(Errc::incompatible) == SHMREG_INCOMPATIBLE);
static_assert(static_cast<int>(Errc::corrupt) == SHMREG_CORRUPT);
static_assert(static_cast<int>(Errc::permission_denied) == SHMREG_PERMISSION_DENIED);
static_assert(static_cast<int>(Errc::untrusted_owner) == SHMREG_UNTRUSTED_OWNER);
static_assert(static_cast<int>(Errc::segment_full) == SHMREG_SEGMENT_FULL);
static_assert(static_cast<int>(Errc::process_table_full) == SHMREG_PROCESS_TABLE_FULL);
static_assert(static_cast<int>(Errc::no_space) == SHMREG_NO_SPACE);
static_assert(static_cast<int>(Errc::timed_out) == SHMREG_TIMED_OUT);
static_assert(static_cast<int>(Errc::cancelled) == SHMREG_CANCELLED);
static_assert(static_cast<int>(Errc::interrupted) == SHMREG_INTERRUPTED);
static_assert(static_cast<int>(Errc::busy) == SHMREG_BUSY);
static_assert(static_cast<int>(Errc::nested_call) == SHMREG_NESTED_CALL);
static_assert(static_cast<int>(Errc::unsupported) == SHMREG_UNSUPPORTED);
static_assert(static_cast<int>(Errc::system_error) == SHMREG_SYSTEM_ERROR);

static_assert(static_cast<int>(OwnerKind::process) == SHMREG_OWNER_PROCESS);
static_assert(static_cast<int>(OwnerKind::remote) == SHMREG_OWNER_REMOTE);
static_assert(static_cast<int>(Health::maintenance) == SHMREG_HEALTH_MAINTENANCE);
static_assert(static_cast<int>(Access::read_only) == SHMREG_READ_ONLY);
static_assert(static_cast<int>(WatchEventKind::present) == SHMREG_PRESENT);
static_assert(static_cast<int>(WatchEventKind::expired) == SHMREG_EXPIRED);
static_assert(static_cast<int>(WatchEventKind::lost) == SHMREG_LOST);
static_assert(static_cast<int>(WaitFor::gone) == SHMREG_WAIT_GONE);
static_assert(static_cast<int>(ProcessState::dying) == SHMREG_PROCESS_DYING);
static_assert(static_cast<int>(HealthCheckOutcome::unreadable) == SHMREG_CHECK_UNREADABLE);

Outcome too_small(std::size_t needed) {
  return {SHMREG_BUFFER_TOO_SMALL, "the answer takes " + std::to_string(needed) + " bytes"};
}

// Of UTF-8, which all texts here are: not in the middle of a character.
void copy_text(std::string_view text, char* to, std::size_t capacity) noexcept {
  if (capacity == 0) return;
  std::size_t size = std::min(text.size(), capacity - 1);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  }
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

int tell(shmreg_error* error, int code, std::string_view message) noexcept {
  if (error == nullptr) return code;
  std::size_t size = 0;
  std::memcpy(&size, error, sizeof size);
  constexpr std::size_t kText = offsetof(shmreg_error, message);
  // One that has not said its size gets nothing: what it has room for is not known.
  if (size < kText || size > 65'536) return code;
  error->code = code;
  copy_text(message, reinterpret_cast<char*>(error) + kText, size - kText);
  return code;
}

namespace {

// More than a record, of 64 KiB, has room for; and no array is as long.
constexpr std::size_t kMostItems = 65'536;
constexpr const char* kTooMany = "an array has more items than a record has room for";

}  // namespace

Outcome take_texts(const shmreg_text* texts, std::size_t count, std::vector<std::string>& to) {
  if (texts == nullptr && count != 0) return null_pointer("an array of texts");
  if (count > kMostItems) return invalid(kTooMany);
  for (std::size_t i = 0; i < count; ++i) to.emplace_back(view(texts[i]));
  return {};
}

Outcome take_pairs(const shmreg_pair* pairs, std::size_t count,
                   std::vector<std::pair<std::string, std::string>>& to) {
  if (pairs == nullptr && count != 0) return null_pointer("metadata");
  if (count > kMostItems) return invalid(kTooMany);
  for (std::size_t i = 0; i < count; ++i) {
    to.emplace_back(view(pairs[i].key), view(pairs[i].value));
  }
  return {};
}

Outcome take_spec(const shmreg_spec* given, ServiceSpec& spec) {
  shmreg_spec known{};
  if (Outcome taken = take(given, known, "shmreg_spec"); taken.code() != SHMREG_OK) return taken;
  spec.endpoint = view(known.endpoint);
  for (Outcome taken : {take_pairs(known.metadata, known.metadata_count, spec.metadata),
                        take_texts(known.tags, known.tag_count, spec.tags),
                        take_texts(known.depends, known.depend_count, spec.depends),
                        take_texts(known.wants, known.want_count, spec.wants)}) {
    if (taken.code() != SHMREG_OK) return taken;
  }
  return {};
}

Outcome take_register_options(const shmreg_register_options* given, RegisterOptions& options) {
  shmreg_register_options known{};
  Outcome taken = take(given, known, "shmreg_register_options");
  options.replace = known.replace != 0;
  options.shared = known.shared != 0;
  return taken;
}

Outcome take_trust(const shmreg_trust_options* given, TrustOptions& trust) {
  shmreg_trust_options known{};
  Outcome taken = take(given, known, "shmreg_trust_options");
  if (taken.code() != SHMREG_OK) return taken;
  if (known.owners == nullptr && known.owner_count != 0) return null_pointer("owners");
  if (known.owner_count > kMostItems) return invalid(kTooMany);
  for (std::size_t i = 0; i < known.owner_count; ++i) {
    trust.trusted_owners.push_back(known.owners[i]);
  }
  return {};
}

Outcome take_create_options(const shmreg_create_options* given, CreateOptions& options) {
  shmreg_create_options known{};
  Outcome taken = take(given, known, "shmreg_create_options");
  if (taken.code() != SHMREG_OK) return taken;
  if (known.max_size_bytes != 0) options.max_size_bytes = known.max_size_bytes;
  options.partitions = known.partitions;
  if (known.max_processes != 0) options.max_processes = known.max_processes;
  if (known.initial_slots != 0) options.initial_slots = known.initial_slots;
  if (known.mode != 0) options.mode = known.mode;
  if (known.has_group != 0) options.group = known.group;
  options.reserve = known.reserve != 0;
  options.if_missing = known.if_missing != 0;
  return {};
}

void* Packer::reserve(std::size_t bytes) noexcept {
  const std::size_t at = used_;
  used_ += bytes;
  if (buffer_ == nullptr || buffer_->data == nullptr || used_ > buffer_->capacity) return nullptr;
  return static_cast<unsigned char*>(buffer_->data) + at;
}

shmreg_text Packer::text(std::string_view text) {
  auto* const to = static_cast<char*>(reserve(text.size() + 1));
  if (to == nullptr) return {nullptr, 0};
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
  return {to, text.size()};
}

Outcome Packer::finish() {
  if (buffer_ == nullptr) return used_ == 0 ? Outcome() : null_pointer("the buffer");
  buffer_->needed = used_;
  const bool fits = buffer_->data != nullptr ? used_ <= buffer_->capacity : used_ == 0;
  return fits ? Outcome() : too_small(used_);
}

namespace {

const shmreg_text* pack_texts(Packer& packer, shmreg_text* array,
                              const std::vector<std::string_view>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const shmreg_text packed = packer.text(texts[i]);
    if (array != nullptr) array[i] = packed;
  }
  return array;
}

}  // namespace

Outcome give_service(const Service& service, shmreg_service* found, shmreg_buffer* buffer) {
  if (found == nullptr) return {};
  shmreg_service full{};
  full.id = service.id();
  full.pid = service.pid();
  full.owner = static_cast<std::uint32_t>(service.owner());
  full.health = static_cast<std::uint32_t>(service.health());
  full.alive = service.alive() == Alive::unknown ? -1 : service.alive() == Alive::yes ? 1 : 0;
  full.shared = service.shared() ? 1 : 0;
  full.registered_at_ns = service.registered_at_ns();
  full.uptime_ns = service.uptime_ns();
  full.period_ns = service.period_ns();
  full.change = service.change();

  const auto metadata = service.metadata();
  const auto tags = service.tags();
  const auto depends = service.depends();
  const auto wants = service.wants();
  full.metadata_count = metadata.size();
  full.tag_count = tags.size();
  full.depend_count = depends.size();
  full.want_count = wants.size();

  Packer packer(buffer);
  auto* const pairs = packer.array<shmreg_pair>(metadata.size());
  auto* const tag_texts = packer.array<shmreg_text>(tags.size());
  auto* const depend_texts = packer.array<shmreg_text>(depends.size());
  auto* const want_texts = packer.array<shmreg_text>(wants.size());
  full.full_name = packer.text(service.full_name());
  full.namespace_name = packer.text(service.namespace_name());
  full.name = packer.text(service.name());
  full.endpoint = packer.text(service.endpoint());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    const shmreg_pair packed{packer.text(metadata[i].first), packer.text(metadata[i].second)};
    if (pairs != nullptr) pairs[i] = packed;
  }
  full.metadata = pairs;
  full.tags = pack_texts(packer, tag_texts, tags);
  full.depends = pack_texts(packer, depend_texts, depends);
  full.wants = pack_texts(packer, want_texts, wants);
  if (Outcome packed = packer.finish(); packed.code() != SHMREG_OK) return packed;
  return give(full, found, "shmreg_service");
}

Outcome give_endpoint(const Service& service, char* endpoint, std::size_t capacity,
                      std::size_t* size) {
  const std::string_view text = service.endpoint();
  if (size != nullptr) *size = text.size();
  if (endpoint == nullptr || capacity < text.size() + 1) return too_small(text.size() + 1);
  std::memcpy(endpoint, text.data(), text.size());
  endpoint[text.size()] = '\0';
  return {};
}

}  // namespace shmreg::c
