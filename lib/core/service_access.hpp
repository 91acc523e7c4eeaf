// The one way into a Service's private bytes.
#pragma once

#include <cstdint>
#include <span>

#include "layout/record.hpp"
#include "shmreg/service.hpp"

namespace shmreg::core {

struct ServiceAccess {
  // Room for a record image of `bytes`, rounded up to whole words; what was there is gone.
  [[nodiscard]] static std::uint64_t* buffer(Service& service, std::size_t bytes) {
    if (bytes <= Service::kInlineBytes) {
      if (!service.heap_.empty()) service.heap_.clear();
      return reinterpret_cast<std::uint64_t*>(service.inline_.data());
    }
    service.heap_.resize((bytes + 7) / 8 * 8);
    return reinterpret_cast<std::uint64_t*>(service.heap_.data());
  }
  static void set(Service& service, std::size_t bytes, std::uint32_t pid, Alive alive,
                  Health health) noexcept {
    service.size_ = static_cast<std::uint32_t>(bytes);
    service.pid_ = pid;
    service.alive_ = alive;
    service.health_ = health;
  }
  static void set_alive(Service& service, Alive alive) noexcept { service.alive_ = alive; }
  // The image's words, whatever their size: valid after buffer().
  [[nodiscard]] static const std::uint64_t* words(const Service& service) noexcept {
    return reinterpret_cast<const std::uint64_t*>(service.bytes());
  }
  static void clear(Service& service) noexcept { service.size_ = 0; }
  [[nodiscard]] static std::span<const unsigned char> image(const Service& service) noexcept {
    return {service.bytes(), service.size_};
  }
};

// Whether what a record was read into is an anchor, and no service.
[[nodiscard]] inline bool is_anchor(const Service& found) noexcept {
  return layout::is_anchor(ServiceAccess::words(found)[layout::kKindWord]);
}

}  // namespace shmreg::core
