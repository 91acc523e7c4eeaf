// The floors, kept true by reading every #include line.
//
// Claim: a file includes its own floor and those below it (sys 0, layout 1, core 2, registry 3,
// tools 4), never one above; OS headers and Boost.Interprocess have their one home in lib/sys; what
// is outside lib/ sees lib/include/shmreg and nothing else of it (tests of the insides excepted,
// and bench/scale/insides); CLI11 stays under tools/. Method: `complaint` judges one include of one
// file by path alone. It is shown to complain about planted includes before it is let loose on the
// tree.
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

// --- paths ---------------------------------------------------------------------------------------

// "lib/core/x.hpp" -> {"lib", "core", "x.hpp"}
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

template <std::size_t N>
std::optional<std::size_t> place_in(const std::array<std::string_view, N>& names,
                                    std::string_view name) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return place_in(names, name).has_value();
}

constexpr std::array<std::string_view, 4> kFloors{"sys", "layout", "core", "registry"};
constexpr std::array<std::string_view, 3> kSharedByTools{"output", "graph", "checks"};
constexpr std::array<std::string_view, 3> kPrograms{"regctl", "regmond", "regbridge"};
constexpr std::array<std::string_view, 3> kPublicFaceOnly{"programs", "examples", "acceptance"};

// Where a file stands, from its path below the top level.
struct Place {
  enum class Kind { face, floor, tool, bench, test, user, unknown };
  Kind kind = Kind::unknown;
  std::size_t floor = 0;         // of Kind::floor
  std::string_view directory{};  // of Kind::tool: "output", "regctl", ...
};

Place place_of(std::string_view path) {
  const auto parts = parts_of(path);
  if (parts.size() < 2) return {};
  if (parts[0] == "lib") {
    if (parts[1] == "include") return {.kind = Place::Kind::face};
    if (const auto floor = place_in(kFloors, parts[1]))
      return {.kind = Place::Kind::floor, .floor = *floor};
    return {};
  }
  if (parts[0] == "tools") return {.kind = Place::Kind::tool, .directory = parts[1]};
  if (parts[0] == "bench") {
    // The one way of shmreg_scale to what no Registry tells.
    const bool insides = parts.size() == 3 && parts[1] == "scale" &&
                         (parts[2] == "insides.hpp" || parts[2] == "insides.cpp");
    return {.kind = insides ? Place::Kind::test : Place::Kind::bench};
  }
  if (parts[0] == "tests") {
    if (contains(kPublicFaceOnly, parts[1])) return {.kind = Place::Kind::user};
    return {.kind = Place::Kind::test};
  }
  return {};
}

// --- angle brackets ------------------------------------------------------------------------------

// <vector>, <cstdint>; but not what only the operating system's floor has business with.
bool is_standard(std::string_view header) {
  constexpr std::array<std::string_view, 2> kOfTheSystem{"cerrno", "csignal"};
  return header.find_first_of("./") == std::string_view::npos && !contains(kOfTheSystem, header);
}

// C headers that have no ties to an operating system.
bool is_plain_c(std::string_view header) {
  constexpr std::array<std::string_view, 4> kPlain{"stdbool.h", "stddef.h", "stdint.h", "limits.h"};
  return contains(kPlain, header);
}

bool is_processor(std::string_view header) {
  constexpr std::array<std::string_view, 4> kProcessor{"arm_neon.h", "emmintrin.h", "immintrin.h",
                                                       "x86intrin.h"};
  return contains(kProcessor, header);
}

bool is_interprocess(std::string_view header) { return header.starts_with("boost/interprocess"); }

std::optional<std::string> complaint_about_angle(const Place& place, std::string_view header) {
  const bool in_lib = place.kind == Place::Kind::face || place.kind == Place::Kind::floor;
  if (in_lib && header.starts_with("shmreg/")) return "our own header in angle brackets";
  if (header.starts_with("CLI/") && place.kind != Place::Kind::tool &&
      place.kind != Place::Kind::bench)
    return "CLI11 belongs to the programs: tools/ and bench/";
  if (place.kind == Place::Kind::face) {
    if (is_standard(header) || is_plain_c(header) || header == "sys/types.h") return std::nullopt;
    // What a handler is given (siginfo_t) cannot be declared otherwise.
    if (header == "signal.h") return std::nullopt;
    return "a public header may include the standard library, <sys/types.h> and <signal.h> only";
  }
  if (place.kind != Place::Kind::floor) return std::nullopt;
  if (kFloors[place.floor] == "sys") return std::nullopt;
  if (is_interprocess(header)) return "Boost.Interprocess has its home in lib/sys";
  if (is_standard(header) || is_plain_c(header)) return std::nullopt;
  if (kFloors[place.floor] == "layout")
    return "lib/layout includes nothing but the standard library";
  if (header == "sys/types.h" || header == "xxhash.h" || is_processor(header) ||
      header.starts_with("boost/"))
    return std::nullopt;
  return "OS headers have their home in lib/sys";
}

// --- quotes --------------------------------------------------------------------------------------

std::optional<std::string> complaint_about_quoted(const Place& place, std::string_view header) {
  if (header.find("..") != std::string_view::npos) return "a path with '..' hides whose it is";
  const auto first = parts_of(header).front();
  if (first == "shmreg" || header == "shmreg.h") return std::nullopt;
  const auto floor = place_in(kFloors, first);

  switch (place.kind) {
    case Place::Kind::face:
      return "a public header may include shmreg/ only";
    case Place::Kind::floor:
      if (!floor) return "code in lib/ names its headers from lib/ on, and knows nothing else";
      if (*floor > place.floor)
        return "floor " + std::to_string(place.floor) + " must not include floor " +
               std::to_string(*floor);
      return std::nullopt;
    case Place::Kind::user:
    case Place::Kind::bench:
      if (floor) return "only lib/include/shmreg is for users of the library";
      return std::nullopt;
    case Place::Kind::tool:
      if (floor) return "tools see only lib/include/shmreg";
      if (contains(kPrograms, first) && first != place.directory)
        return contains(kSharedByTools, place.directory)
                   ? "what tools share must not know a program"
                   : "one program must not include another's files";
      return std::nullopt;
    case Place::Kind::test:
      return std::nullopt;
    case Place::Kind::unknown:
      break;
  }
  return "a file on no floor";
}

// --- lines ---------------------------------------------------------------------------------------

struct Include {
  std::string header;
  bool angle = false;
};

std::optional<Include> include_in(std::string_view line) {
  const auto skip_blanks = [&line] {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(std::string_view("include").size());
  skip_blanks();
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const bool angle = line[0] == '<';
  line.remove_prefix(1);
  const auto end = line.find(angle ? '>' : '"');
  if (end == std::string_view::npos) return std::nullopt;
  return Include{std::string(line.substr(0, end)), angle};
}

std::vector<std::string> complaints(std::string_view path, std::istream& text) {
  std::vector<std::string> found;
  const Place place = place_of(path);
  if (place.kind == Place::Kind::unknown) found.push_back(std::string(path) + ": on no floor");
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    const auto include = include_in(line);
    if (!include) continue;
    const auto why = include->angle ? complaint_about_angle(place, include->header)
                                    : complaint_about_quoted(place, include->header);
    if (why)
      found.push_back(std::string(path) + ":" + std::to_string(number) + ": " + include->header +
                      ": " + *why);
  }
  return found;
}

std::size_t complaints_about(std::string_view path, const std::string& text) {
  std::istringstream stream(text);
  return complaints(path, stream).size();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_planted_upward_include_is_found) {
  BOOST_TEST(complaints_about("lib/sys/futex.hpp", "#include \"core/table.hpp\"\n") == 1U);
  BOOST_TEST(complaints_about("lib/sys/futex.cpp", "  #  include \"layout/record.hpp\"\n") == 1U);
  BOOST_TEST(complaints_about("lib/layout/record.hpp", "#include \"core/table.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include \"registry/registry.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include \"../registry/registry.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include \"output/json.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/registry/x.cpp", "#include \"regctl/main.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/include/shmreg/x.hpp", "#include \"sys/futex.hpp\"") == 1U);
  BOOST_TEST(complaints_about("tools/regctl/x.cpp", "#include \"core/table.hpp\"") == 1U);
  BOOST_TEST(complaints_about("tools/output/x.cpp", "#include \"regctl/x.hpp\"") == 1U);
  BOOST_TEST(complaints_about("tools/regmond/x.cpp", "#include \"regctl/x.hpp\"") == 1U);
  BOOST_TEST(complaints_about("bench/x.cpp", "#include \"core/table.hpp\"") == 1U);
  BOOST_TEST(complaints_about("bench/scale/x.cpp", "#include \"core/table.hpp\"") == 1U);
  BOOST_TEST(complaints_about("tests/programs/x.cpp", "#include \"core/table.hpp\"") == 1U);
  BOOST_TEST(complaints_about("lib/util/x.cpp", "") == 1U);
}

BOOST_AUTO_TEST_CASE(a_planted_system_header_is_found) {
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include <unistd.h>") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include <sys/mman.h>") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include <linux/futex.h>") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include <cerrno>") == 1U);
  BOOST_TEST(complaints_about("lib/registry/x.cpp",
                              "#include <boost/interprocess/mapped_region.hpp>") == 1U);
  BOOST_TEST(complaints_about("lib/layout/record.hpp", "#include <sys/types.h>") == 1U);
  BOOST_TEST(complaints_about("lib/include/shmreg/x.hpp", "#include <boost/json.hpp>") == 1U);
  BOOST_TEST(complaints_about("lib/include/shmreg/x.hpp", "#include <unistd.h>") == 1U);
  BOOST_TEST(complaints_about("lib/core/table.cpp", "#include <signal.h>") == 1U);
  BOOST_TEST(complaints_about("lib/registry/x.cpp", "#include <CLI/CLI.hpp>") == 1U);
  BOOST_TEST(complaints_about("tests/core/x_test.cpp", "#include <CLI/CLI.hpp>") == 1U);
}

BOOST_AUTO_TEST_CASE(what_the_floors_allow_is_not_complained_about) {
  BOOST_TEST(complaints_about("lib/core/table.cpp",
                              "#include \"core/table.hpp\"\n#include \"layout/record.hpp\"\n"
                              "#include \"sys/futex.hpp\"\n#include \"shmreg/error.hpp\"\n"
                              "#include <atomic>\n#include <xxhash.h>\n#include <immintrin.h>\n"
                              "// #include \"registry/x.hpp\"\n") == 0U);
  BOOST_TEST(complaints_about("lib/sys/x.cpp",
                              "#include <fcntl.h>\n#include \"shmreg/error.hpp\"\n"
                              "#include <boost/interprocess/mapped_region.hpp>\n") == 0U);
  BOOST_TEST(complaints_about("lib/include/shmreg/x.hpp",
                              "#include <sys/types.h>\n#include <signal.h>\n"
                              "#include \"shmreg/error.hpp\"\n") == 0U);
  BOOST_TEST(complaints_about("tools/regctl/x.cpp",
                              "#include <CLI/CLI.hpp>\n#include \"output/json.hpp\"\n"
                              "#include \"regctl/x.hpp\"\n#include <unistd.h>\n") == 0U);
  BOOST_TEST(complaints_about("bench/x.cpp", "#include <shmreg/registry.hpp>") == 0U);
  BOOST_TEST(complaints_about("bench/scale/insides.cpp", "#include \"core/table.hpp\"") == 0U);
  BOOST_TEST(complaints_about("tests/core/x_test.cpp", "#include \"core/table.hpp\"") == 0U);
}

BOOST_AUTO_TEST_CASE(no_file_includes_a_floor_above_its_own) {
  const fs::path top = SHMREG_SOURCE_DIR;
  std::size_t files = 0;
  for (const char* const room : {"lib", "tools", "tests", "bench"}) {
    if (!fs::exists(top / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top / room)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp" && extension != ".h") continue;
      const auto path = entry.path().lexically_relative(top).string();
      if (path == "tests/main.cpp") continue;  // in no room of the tests
      std::ifstream text(entry.path());
      BOOST_TEST_REQUIRE(text.is_open(), path);
      for (const auto& complaint : complaints(path, text)) BOOST_ERROR(complaint);
      ++files;
    }
  }
  // A test that looked at nothing has shown nothing.
  BOOST_TEST(files >= 20U);
}
