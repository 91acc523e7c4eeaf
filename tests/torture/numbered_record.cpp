#include "torture/numbered_record.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>
#include <vector>

#include "torture/setting.hpp"

namespace torture {
namespace {

// What a record of this name and number is made of.
struct Shape {
  std::array<char, 16> word{};  // repeated in every part
  std::size_t endpoint_words = 0;
  std::size_t value_words = 0;
  std::size_t tags = 0;
};

Shape shape_of(std::string_view full_name, std::uint64_t number, std::uint32_t pid, Sizes sizes) {
  std::uint64_t hash = number * 0x9e3779b97f4a7c15U ^ pid;
  for (const char c : full_name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  Random random(hash);
  Shape shape;
  std::uint64_t bits = random.next();
  for (char& c : shape.word) {
    c = "0123456789abcdef"[bits & 15];
    bits >>= 4;
  }
  shape.endpoint_words = random.below(6);
  shape.value_words = random.below(4) != 0 ? random.below(8) : random.below(48);
  if (sizes == Sizes::varied) {
    const std::uint64_t chance = random.below(64);
    if (chance == 0) shape.value_words = random.below(2500);
    if (chance >= 1 && chance <= 4) shape.value_words = random.below(300);
  }
  shape.tags = random.below(3);
  if (sizes == Sizes::least || sizes == Sizes::alike) {
    shape.endpoint_words = sizes == Sizes::least ? 0 : 3;
    shape.value_words = sizes == Sizes::least ? 1 : 12;
    shape.tags = 0;
  }
  return shape;
}

std::string repeated(const Shape& shape, std::size_t words) {
  std::string text;
  text.reserve(words * shape.word.size());
  for (std::size_t i = 0; i < words; ++i) text.append(shape.word.data(), shape.word.size());
  return text;
}

bool is_repeated(std::string_view text, const Shape& shape, std::size_t words) {
  const std::string_view word(shape.word.data(), shape.word.size());
  if (text.size() != words * word.size()) return false;
  for (std::size_t at = 0; at < text.size(); at += word.size()) {
    if (text.substr(at, word.size()) != word) return false;
  }
  return true;
}

std::string hexadecimal(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

bool read_hexadecimal(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return error == std::errc() && end == text.data() + text.size();
}

std::string shortened(std::string_view text) {
  return text.size() <= 60
             ? std::string(text)
             : std::string(text.substr(0, 60)) + "... (" + std::to_string(text.size()) + " bytes)";
}

constexpr std::size_t kNumberDigits = 12;
constexpr std::size_t kPidDigits = 8;
constexpr std::size_t kPrefix = kNumberDigits + 1 + kPidDigits + 1;

}  // namespace

shmreg::ServiceSpec numbered_spec(const std::string& full_name, std::uint64_t number, Sizes sizes) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const Shape shape = shape_of(full_name, number, pid, sizes);
  shmreg::ServiceSpec spec;
  spec.endpoint = hexadecimal(number, kNumberDigits) + "." + hexadecimal(pid, kPidDigits) + "." +
                  repeated(shape, shape.endpoint_words);
  spec.metadata.emplace_back("v", repeated(shape, shape.value_words));
  for (std::size_t i = 0; i < shape.tags; ++i) spec.tags.push_back(repeated(shape, i + 1));
  return spec;
}

Verdict judge(const shmreg::Service& found, const std::string& full_name, Sizes sizes) {
  Verdict verdict;
  const auto complain = [&](const char* what) {
    verdict.complaint = std::string(what) + ": asked for '" + full_name + "', got '" +
                        std::string(found.full_name()) + "' of pid " + std::to_string(found.pid()) +
                        ", id " + std::to_string(found.id()) + ", endpoint '" +
                        shortened(found.endpoint()) + "', v '" +
                        shortened(found.metadata("v").value_or("(none)")) + "'";
    return verdict;
  };
  if (!full_name.empty() && found.full_name() != full_name) return complain("another name");
  const std::string_view endpoint = found.endpoint();
  std::uint64_t pid = 0;
  if (endpoint.size() < kPrefix || endpoint[kNumberDigits] != '.' || endpoint[kPrefix - 1] != '.' ||
      !read_hexadecimal(endpoint.substr(0, kNumberDigits), verdict.number) ||
      !read_hexadecimal(endpoint.substr(kNumberDigits + 1, kPidDigits), pid)) {
    return complain("torn: its endpoint has no number");
  }
  const Shape shape =
      shape_of(found.full_name(), verdict.number, static_cast<std::uint32_t>(pid), sizes);
  if (!is_repeated(endpoint.substr(kPrefix), shape, shape.endpoint_words)) {
    return complain("torn: its endpoint does not belong to its number");
  }
  const auto value = found.metadata("v");
  if (!value || !is_repeated(*value, shape, shape.value_words)) {
    return complain("torn: its metadata do not belong to its number");
  }
  const std::vector<std::string_view> tags = found.tags();
  bool whole = tags.size() == shape.tags;
  for (std::size_t i = 0; whole && i < tags.size(); ++i) {
    whole = is_repeated(tags[i], shape, i + 1);
  }
  if (!whole) return complain("torn: its tags do not belong to its number");
  if (found.owner() == shmreg::OwnerKind::process && found.pid() != pid) {
    return complain("its owner is not who wrote it");
  }
  return verdict;
}

}  // namespace torture
