// A record in one's own memory: what its bytes say, and what bytes that make no sense say.
#include "core/record_image.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace shmreg;
using namespace shmreg::core;
using layout::AttributeKind;
using layout::RecordHeader;

namespace {

std::vector<unsigned char> image(const std::string& key, std::size_t namespace_bytes,
                                 const std::string& endpoint,
                                 const std::vector<unsigned char>& attributes) {
  RecordHeader header{};
  header.stamp = 1;
  header.key_bytes = static_cast<std::uint16_t>(key.size());
  header.namespace_bytes = static_cast<std::uint8_t>(namespace_bytes);
  header.endpoint_bytes = static_cast<std::uint16_t>(endpoint.size());
  header.attribute_bytes = static_cast<std::uint16_t>(attributes.size());
  std::vector<unsigned char> bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes.insert(bytes.end(), key.begin(), key.end());
  bytes.insert(bytes.end(), endpoint.begin(), endpoint.end());
  bytes.insert(bytes.end(), attributes.begin(), attributes.end());
  return bytes;
}

void touch(const RecordView& view) {
  std::size_t sum = view.key().size() + view.namespace_name().size() + view.endpoint().size();
  for (const char c : view.key()) sum += static_cast<unsigned char>(c);
  for (const char c : view.endpoint()) sum += static_cast<unsigned char>(c);
  AttributeReader reader(view.attributes());
  while (const auto attribute = reader.next()) {
    for (const char c : attribute->key) sum += static_cast<unsigned char>(c);
    for (const char c : attribute->value) sum += static_cast<unsigned char>(c);
  }
  (void)view.owner_life();
  (void)view.owner_process();
  (void)view.period_ns();
  volatile std::size_t used = sum;
  (void)used;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(record_image)

BOOST_AUTO_TEST_CASE(what_was_put_in_is_read_out) {
  std::vector<unsigned char> attributes;
  append_attribute(attributes, AttributeKind::metadata, "key", "value");
  append_attribute(attributes, AttributeKind::metadata, "empty", "");
  append_attribute(attributes, AttributeKind::tag, {}, std::string(60'000, 't'));
  const auto bytes = image("name/space/service", 10, "endpoint", attributes);
  const auto view = RecordView::of(bytes);
  BOOST_TEST_REQUIRE(view.has_value());
  BOOST_TEST(view->key() == "name/space/service");
  BOOST_TEST(view->namespace_name() == "name/space");
  BOOST_TEST(view->endpoint() == "endpoint");
  AttributeReader reader(view->attributes());
  auto attribute = reader.next();
  BOOST_TEST_REQUIRE(attribute.has_value());
  BOOST_TEST(attribute->key == "key");
  BOOST_TEST(attribute->value == "value");
  attribute = reader.next();
  BOOST_TEST(attribute->key == "empty");
  BOOST_TEST(attribute->value.empty());
  attribute = reader.next();
  BOOST_TEST((attribute->kind == AttributeKind::tag));
  BOOST_TEST(attribute->value.size() == 60'000U);
  BOOST_TEST(!reader.next().has_value());
  BOOST_TEST(reader.complete());
}

BOOST_AUTO_TEST_CASE(an_owner_is_a_life_of_an_entry_or_none) {
  auto bytes = image("a/b", 1, "", {});
  BOOST_TEST(!RecordView::of(bytes)->owner_life().has_value());
  RecordHeader header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  header.owner = std::uint64_t{7} << 32 | (41 + 1);
  std::memcpy(bytes.data(), &header, sizeof header);
  const auto life = RecordView::of(bytes)->owner_life();
  BOOST_TEST_REQUIRE(life.has_value());
  BOOST_TEST(life->entry == 41U);
  BOOST_TEST(life->generation == 7U);
}

BOOST_AUTO_TEST_CASE(pid_and_period_are_read_from_attributes_of_the_right_size_alone) {
  std::vector<unsigned char> attributes;
  append_attribute(attributes, AttributeKind::process, {}, "short");
  append_attribute(attributes, AttributeKind::period, {}, "12345678901");
  auto bytes = image("a/b", 1, "", attributes);
  BOOST_TEST(!RecordView::of(bytes)->owner_process().has_value());
  BOOST_TEST(RecordView::of(bytes)->owner_program().empty());
  BOOST_TEST(RecordView::of(bytes)->period_ns() == 0U);
  const layout::ProcessAttribute process{4711, 6, 5};
  append_attribute(attributes, AttributeKind::process, {},
                   std::string(bytes_of(process)) + "longer than a program");
  append_attribute(attributes, AttributeKind::process, {}, std::string(bytes_of(process)) + "web");
  append_attribute(attributes, AttributeKind::period, {}, bytes_of(std::uint64_t{9}));
  bytes = image("a/b", 1, "", attributes);
  BOOST_TEST(RecordView::of(bytes)->owner_process()->pid == 4711U);
  BOOST_TEST(RecordView::of(bytes)->owner_process()->pid_namespace == 6U);
  BOOST_TEST(RecordView::of(bytes)->owner_program() == "web");
  BOOST_TEST(RecordView::of(bytes)->period_ns() == 9U);
}

BOOST_AUTO_TEST_CASE(lengths_that_cannot_be_true_are_no_record) {
  const auto sound = image("ab/cd", 2, "endpoint", {});
  BOOST_TEST(RecordView::of(sound).has_value());
  // Cut anywhere it is none.
  for (std::size_t bytes = 0; bytes < sound.size(); ++bytes) {
    BOOST_TEST(!RecordView::of({sound.data(), bytes}).has_value());
  }
  BOOST_TEST(!RecordView::of(image("ab/cd", 0, "", {})).has_value());
  BOOST_TEST(!RecordView::of(image("ab/cd", 3, "", {})).has_value());  // no slash there
  BOOST_TEST(!RecordView::of(image("ab/cd", 4, "", {})).has_value());  // no name after it
  BOOST_TEST(!RecordView::of(image("ab/cd", 200, "", {})).has_value());
  BOOST_TEST(!RecordView::of(image("", 0, "", {})).has_value());
  BOOST_TEST(!RecordView::of(image("a/" + std::string(256, 'n'), 1, "", {})).has_value());
}

BOOST_AUTO_TEST_CASE(attributes_that_end_in_the_middle_of_one_end_there) {
  std::vector<unsigned char> attributes;
  append_attribute(attributes, AttributeKind::metadata, "one", "1");
  const std::size_t first = attributes.size();
  append_attribute(attributes, AttributeKind::metadata, "two", "2");
  const std::string_view all(reinterpret_cast<const char*>(attributes.data()), attributes.size());
  for (std::size_t bytes = first; bytes < attributes.size(); ++bytes) {
    AttributeReader reader(all.substr(0, bytes));
    BOOST_TEST(reader.next()->key == "one");
    BOOST_TEST(!reader.next().has_value());
    BOOST_TEST(reader.complete() == (bytes == first));
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_are_a_record_or_none_and_never_read_beyond) {
  // On the heap, exactly as long as said: the address sanitizer sees each byte beyond.
  std::mt19937 random(7);
  int records = 0;
  for (int round = 0; round < 50'000; ++round) {
    auto bytes = image("ab/cd", 2, "endpoint", {1, 3, 2, 0, 'k', 'e', 'y', 'v', 'v'});
    for (int flips = 0; flips < 3; ++flips) {
      const std::size_t at = 48 + random() % (bytes.size() - 48);
      bytes.at(at) = static_cast<unsigned char>(random());
    }
    bytes.resize(random() % 4 == 0 ? random() % bytes.size() : bytes.size());
    const std::vector<unsigned char> exact(bytes);
    if (const auto view = RecordView::of(exact)) {
      touch(*view);
      ++records;
    }
  }
  BOOST_TEST(records > 100);
}

BOOST_AUTO_TEST_SUITE_END()
