// What goes through every partition, one after the other: list, count, namespaces, query. Each
// partition is read as it was at one moment; the partitions are not of the same moment.
#include <algorithm>
#include <map>
#include <new>

#include "core/attachment.hpp"
#include "core/listing.hpp"
#include "registry/names.hpp"
#include "registry/reading.hpp"
#include "shmreg/query.hpp"
#include "shmreg/registry.hpp"

namespace shmreg {
namespace {

// Appends each partition's live services, of one namespace or of all, and calls `take` after each,
// which may use them up.
template <class Take>
Status read_all(core::Attachment& attachment, std::optional<std::string_view> namespace_name,
                std::vector<Service>& services, Take take) {
  const core::Segment& segment = attachment.segment();
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    const Errc outcome =
        core::read_partition(segment, attachment.watch(), p, namespace_name, services);
    if (outcome != Errc::ok) return reading_failed(segment, outcome);
    take();
  }
  return segment.check_whole();
}

Status check(std::optional<std::string_view> namespace_name) {
  return namespace_name ? check_namespace(*namespace_name) : Status();
}

// Room for all at once, by what the partitions count. A hint, and perhaps another's bytes: what it
// asks for too much need not be there.
void reserve_for_all(const core::Segment& segment, std::vector<Service>& services) {
  std::uint64_t count = 0;
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    count += segment.partition(p).services.load(std::memory_order_relaxed);
  }
  const std::uint64_t most = segment.open_end() / layout::kSizeClasses.front().record_bytes;
  try {
    services.reserve(std::min(count, most));
  } catch (const std::bad_alloc&) {  // then it grows as it is filled
  }
}

}  // namespace

Result<std::vector<Service>> Registry::list(std::optional<std::string_view> namespace_name) const {
  if (Status checked = check(namespace_name); !checked) return checked;
  std::vector<Service> services;
  if (!namespace_name) reserve_for_all(attachment_->segment(), services);
  if (Status read = read_all(*attachment_, namespace_name, services, [] {}); !read) return read;
  return services;
}

Result<std::uint64_t> Registry::count(std::optional<std::string_view> namespace_name) const {
  if (Status checked = check(namespace_name); !checked) return checked;
  std::uint64_t count = 0;
  std::vector<Service> services;
  const Status read = read_all(*attachment_, namespace_name, services, [&] {
    count += services.size();
    services.clear();
  });
  if (!read) return read;
  return count;
}

Result<std::vector<NamespaceCount>> Registry::namespaces() const {
  std::map<std::string, std::uint64_t, std::less<>> counts;
  std::vector<Service> services;
  const Status read = read_all(*attachment_, std::nullopt, services, [&] {
    for (const Service& service : services) {
      const auto found = counts.find(service.namespace_name());
      if (found != counts.end()) {
        ++found->second;
      } else {
        counts.emplace(service.namespace_name(), 1);
      }
    }
    services.clear();
  });
  if (!read) return read;
  std::vector<NamespaceCount> all;
  for (auto& [name, count] : counts) all.push_back({name, count});
  return all;
}

Result<std::vector<Service>> Registry::query(const Query& query) const {
  if (Status checked = query.check(); !checked) return checked;
  std::optional<std::string_view> only;
  if (query.namespace_name && !query.and_below) only = *query.namespace_name;
  std::vector<Service> matching;
  std::vector<Service> services;
  const Status read = read_all(*attachment_, only, services, [&] {
    for (Service& service : services) {
      if (query.matches(service)) matching.push_back(std::move(service));
    }
    services.clear();
  });
  if (!read) return read;
  return matching;
}

}  // namespace shmreg
