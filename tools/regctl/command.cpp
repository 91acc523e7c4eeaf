#include "regctl/command.hpp"

#include <limits>
#include <utility>

#include "output/units.hpp"

namespace shmreg::regctl {
namespace {

// Stores what `parse` makes of the text.
template <class Target, class Parse>
Setter parsed_into(Target& target, Parse parse) {
  return [&target, parse](const std::string& text) -> Status {
    auto value = parse(text);
    if (!value) return value.status();
    if constexpr (std::is_integral_v<Target>) {
      target = static_cast<Target>(*value);
    } else {
      target = static_cast<typename Target::value_type>(*value);
    }
    return {};
  };
}

}  // namespace

Setter into(std::string& target) {
  return [&target](const std::string& text) {
    target = text;
    return Status();
  };
}

Setter into(std::optional<std::string>& target) {
  return [&target](const std::string& text) {
    target = text;
    return Status();
  };
}

Setter into(std::vector<std::string>& target) {
  return [&target](const std::string& text) {
    target.push_back(text);
    return Status();
  };
}

Setter into(std::optional<std::chrono::nanoseconds>& target) {
  return parsed_into(target, output::parse_duration);
}

Setter size_into(std::uint64_t& target) { return parsed_into(target, output::parse_size); }

Setter mode_into(std::uint32_t& target) { return parsed_into(target, output::parse_mode); }

Setter number_into(std::uint32_t& target) {
  return parsed_into(target, [](const std::string& text) {
    return output::parse_number(text, std::numeric_limits<std::uint32_t>::max());
  });
}

Setter positive_into(std::uint32_t& target) {
  return parsed_into(target, [](const std::string& text) -> Result<std::uint64_t> {
    auto number = output::parse_number(text, std::numeric_limits<std::uint32_t>::max());
    if (number && *number == 0) return Status(Errc::invalid_argument, "'0' is too few: at least 1");
    return number;
  });
}

Setter id_into(std::optional<std::uint64_t>& target) {
  return parsed_into(target, [](const std::string& text) {
    return output::parse_number(text, std::numeric_limits<std::uint64_t>::max());
  });
}

Setter pid_into(std::optional<std::int32_t>& target) {
  return parsed_into(target, output::parse_pid);
}

std::string Option::long_name() const {
  const auto comma = names.find(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

Command& Command::argument(std::string name, std::string help, Setter set) {
  arguments_.push_back({std::move(name), std::move(help), true, false, std::move(set)});
  return *this;
}

Command& Command::optional_argument(std::string name, std::string help, Setter set) {
  arguments_.push_back({std::move(name), std::move(help), false, false, std::move(set)});
  return *this;
}

Command& Command::arguments(std::string name, std::string help, Setter set) {
  arguments_.push_back({std::move(name), std::move(help), true, true, std::move(set)});
  return *this;
}

Command& Command::flag(std::string names, std::string help, bool& target) {
  const auto set = [&target](const std::string&) {
    target = true;
    return Status();
  };
  options_.push_back({std::move(names), "", std::move(help), false, set});
  return *this;
}

Command& Command::value(std::string names, std::string value_name, std::string help, Setter set,
                        Repeat repeat) {
  options_.push_back({std::move(names), std::move(value_name), std::move(help),
                      repeat == Repeat::yes, std::move(set)});
  return *this;
}

Command& Command::program(std::vector<std::string>& target) {
  program_ = &target;
  return *this;
}

Command& Command::more(std::string text) {
  more_ = std::move(text);
  return *this;
}

Command& Command::action(std::function<int(Context&)> run) {
  action_ = std::move(run);
  return *this;
}

}  // namespace shmreg::regctl
