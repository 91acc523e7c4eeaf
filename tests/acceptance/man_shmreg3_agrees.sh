#!/usr/bin/env bash
# shmreg(3) has an entry for every function, structure, enumeration and code of the headers, with the
# types that they declare, and for nothing else; its examples compile.
#
# How the page marks its entries stands at its head. Each comparison is first proven on a page with a
# planted fault.
set -u

top=${SHMREG_SOURCE_DIR:-$(dirname "$0")/../..}
manual=$top/man/shmreg.3
[ -r "$manual" ] || {
  echo "there is no $manual"
  exit 1
}
command -v python3 >/dev/null || {
  echo "skipped: python3 is not installed"
  exit 77
}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/shmreg.man3.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

cat >"$scratch/compare.py" <<'END'
# compare.py WHAT PAGE INCLUDE: a line for each difference between the page and the headers.
import pathlib, re, shlex, sys

what, page, include = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


def without_comments(text):
    text = re.sub(r'/\*.*?\*/|//[^\n]*', ' ', text, flags=re.S)
    return re.sub(r'^#.*(\\\n.*)*$', '', text, flags=re.M)


def plain(text):  # a type or a parameter, however it is spaced
    text = re.sub(r'\s+', ' ', text).strip()
    return re.sub(r'\s*([&*<>,]+)\s*', r'\1', text)


def split(text):  # at the commas that are in no brackets
    parts, depth = [''], 0
    for c in text:
        depth += (c in '(<{[') - (c in ')>}]')
        if c == ',' and depth == 0:
            parts.append('')
        else:
            parts[-1] += c
    return [p for p in parts if p.strip() not in ('', 'void')]


# What the headers declare.
functions = {}  # name: [(returns, [parameter])]
types = {}  # name: {member}
errc, codes = [], []


def declare(name, returns, parameters):
    parameters = [plain(re.sub(r'=.*', '', p, flags=re.S)) for p in split(parameters)]
    functions.setdefault(name, []).append((plain(returns), parameters))


def read_c(text):
    for found in re.finditer(r'typedef struct (\w+) \{(.*?)\} \1;', text, re.S):
        types[found[1]] = {re.search(r'(\w+)(\[\d+\])?$', m.strip())[1]
                           for m in found[2].split(';') if m.strip()}
    for found in re.finditer(r'enum (\w+) \{(.*?)\};', text, re.S):
        types['enum ' + found[1]] = set(re.findall(r'\bSHMREG_\w+', found[2]))
    codes.extend(re.findall(r'SHMREG_\w+', re.search(r'enum shmreg_code \{(.*?)\};', text, re.S)[1]))
    for found in re.finditer(r'typedef \w+ \(\*(\w+)\)', text):
        types[found[1]] = set()
    for found in re.finditer(
            r'(?:SHMREG_API|static inline)\s+([\w\s*]+?)(\w+)\(([^;{]*?)\)\s*[;{]', text):
        declare(found[2], found[1], found[3])


def closing(text, at):  # the place behind the } of the { at that place
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == '{') - (text[i] == '}')
        if depth == 0:
            return i + 1
    sys.exit('a { without }')


def read_function(scope, head):
    declared = re.sub(r'\b(static|inline|explicit|virtual|constexpr|SHMREG_API)\b', '', head)
    found = re.match(r'(.*?)(operator\s*\w+|operator\s*[^\s\w(]+|~?\w+)\s*\(', declared, re.S)
    name = re.sub(r'\s+', ' ', found[2])
    depth, end = 1, found.end()
    while depth:
        depth += (declared[end] == '(') - (declared[end] == ')')
        end += 1
    parameters, own = declared[found.end():end - 1], scope.split('::')[-1]
    if name in ('~' + own, 'operator=') or re.search(r'=\s*delete', declared[end:]):
        return
    if name == own and re.fullmatch(r'\s*|(const )?\s*%s\s*&&?\s*\w*\s*' % own, parameters):
        return  # made of nothing, or of another one
    declare(f'{scope}::{name}' if scope else name, found[1], parameters)


def read_scope(text, scope, public):  # what is between the { } of a namespace or a class
    head, at, depth = '', 0, 0
    while at < len(text):
        c = text[at]
        depth += (c == '(') - (c == ')')
        if depth or c not in ';{':
            head, at = head + c, at + 1
            continue
        for label in re.findall(r'\b(public|private)\s*:(?!:)', head):
            public = label == 'public'
        head = re.sub(r'\b(public|private)\s*:(?!:)|\[\[.*?\]\]', ' ', head).strip()
        head = re.sub(r'^template\s*<[^>]*>', '', head).strip()
        kind = re.match(r'(namespace|enum class|class|struct)\b\s*(?:SHMREG_API\s+)?([\w:]+)', head)
        if c == '{' and kind:
            end, name = closing(text, at), kind[2]
            body, qualified = text[at + 1:end - 1], f'{scope}::{name}' if scope else name
            if kind[1] == 'namespace':
                if name == 'shmreg':
                    read_scope(body, '', True)
            elif '<' in head or '::' in name or not public:
                pass  # of std
            elif kind[1] == 'enum class':
                members = re.findall(r'(\w+)\s*(?:=[^,]*)?(?:,|$)', body.strip())
                types[qualified] = set(members)
                if qualified == 'Errc':
                    errc.extend(members)
            else:
                members = read_scope(body, qualified, kind[1] == 'struct')
                if any(not m.startswith('k') for m in members):
                    types[qualified] = members
            head, at = '', end
            continue
        if c == '{' and '(' not in head.split('=')[0]:  # the value of a variable
            at = closing(text, at)
            head += '='
            continue
        if public and kind is None and not re.match(r'friend\b|extern\b|$', head):
            alias = re.match(r'using (\w+) =', head)
            if alias:
                types[alias[1]] = set()
            elif '(' in re.split(r'(?<!operator)=', head)[0]:
                read_function(scope, head)
            elif scope:
                variables.setdefault(scope, set()).add(re.findall(r'\w+', head.split('=')[0])[-1])
        at = closing(text, at) if c == '{' else at + 1
        head = ''
    return variables.get(scope, set())


variables = {}
read_c(without_comments((include / 'shmreg.h').read_text()))
for header in sorted((include / 'shmreg').glob('*.hpp')):
    read_scope(without_comments(header.read_text()), '', True)

# What the page has.
lines = open(page, encoding='utf-8').read().splitlines()
said = []


def entries(macro):  # the words of its .It lines, and the macro lines behind each
    for i, line in enumerate(lines):
        if not re.match(r'\.It (Ft .* )?%s ' % macro, line):
            continue
        behind = []
        for other in lines[i + 1:]:
            if re.match(r'\.(Sh|Ss|It Vt|It Ft|It Fn|It Dv SHMREG_USUAL)\b', other):
                break
            behind.append(other)
        words = shlex.split(line.replace('\\ ', ' ') if macro == 'Vt' else
                            re.sub(r'(\S+)\\ (\S+)', r'"\1 \2"', line))
        yield words[1:], [other for other in behind if other.startswith('.')]


def compare_functions():
    seen = set()
    for words, _ in entries('Fn'):
        at = words.index('Fn')
        returns, name, parameters = ' '.join(words[1:at]), words[at + 1], words[at + 2:]
        seen.add(name)
        if name not in functions:
            said.append(f'the headers have no function {name}')
        elif (plain(returns), [plain(p) for p in parameters]) not in functions[name]:
            said.append(f'{name} is declared as {functions[name]}, the page has '
                        f'{plain(returns)} {[plain(p) for p in parameters]}')
    said.extend(f'no entry for {name}()' for name in functions if name not in seen)
    for line in lines:
        for name in re.findall(r'^\.Fn (\S+)', line):
            if name not in functions:
                said.append(f'the page speaks of {name}(), which the headers do not have')
    if len(functions) < 150:
        said.append(f'only {len(functions)} functions found in the headers')


def compare_types():
    seen = set()
    for words, behind in entries('Vt'):
        name = ' '.join(words[1:])
        seen.add(name)
        if name not in types:
            said.append(f'the headers have no type {name}')
            continue
        if name in ('Errc', 'enum shmreg_code'):
            continue
        there = set(re.findall(r'\w+', ' '.join(behind)))
        said.extend(f'{name}: {member} is missing' for member in types[name] - there)
        for line in behind:
            for member in re.findall(r'\w+', line[6:]) if line.startswith('.It Va ') else []:
                if member not in types[name]:
                    said.append(f'{name} has no {member}')
    said.extend(f'no entry for {name}' for name in types if name not in seen)
    if len(types) < 65:
        said.append(f'only {len(types)} types found in the headers')


def compare_codes():
    here, there = False, {}
    for line in lines:
        here = line == '.Sh ERRORS' or (here and not line.startswith('.Sh'))
        found = re.match(r'\.It Dv (\w+)(?: , Li (\w+))?$', line)
        if here and found:
            there[found[1]] = found[2]
    wanted = {code: code[7:].lower() if code[7:].lower() in errc else None for code in codes}
    said.extend(f'the headers have no {code}' for code in there if code not in wanted)
    for code, name in wanted.items():
        if code not in there or there[code] != name:
            said.append(f'no entry for {code} and {name}')
    said.extend(f'no entry for {name}' for name in errc if name not in there.values())
    if len(codes) < 25 or len(errc) < 25:
        said.append(f'only {len(codes)} and {len(errc)} codes found in the headers')


{'functions': compare_functions, 'types': compare_types, 'codes': compare_codes}[what]()
print('\n'.join(said))
END

check_functions() { python3 "$scratch/compare.py" functions "$1" "$top/lib/include" 2>&1; }
check_types() { python3 "$scratch/compare.py" types "$1" "$top/lib/include" 2>&1; }
check_codes() { python3 "$scratch/compare.py" codes "$1" "$top/lib/include" 2>&1; }

example() { # PAGE LANGUAGE
  awk -v begin=".\\\\\" example $2" '
    $0 == begin { here = 1; next }
    here && /^\.Ed/ { exit }
    here && !/^\.Bd/' "$1" | sed 's/\\e/\\/g'
}

check_examples() { # PAGE
  local flags=(-Wall -Wextra -Werror -fsyntax-only -I"$top/lib/include")
  example "$1" c >"$scratch/example.c"
  example "$1" c++ >"$scratch/example.cpp"
  [ "$(wc -l <"$scratch/example.c")" -ge 10 ] || echo "no example in C"
  [ "$(wc -l <"$scratch/example.cpp")" -ge 10 ] || echo "no example in C++"
  cc -std=c11 "${flags[@]}" "$scratch/example.c" 2>&1
  c++ -std=c++20 "${flags[@]}" "$scratch/example.cpp" 2>&1
}

# check WHAT SED-SCRIPT...: the page passes, and one that is spoilt by any of the scripts does not.
check() {
  local what=$1 said script
  said=$("check_$what" "$manual")
  [ -z "$said" ] || fail "$what: $said"
  for script in "${@:2}"; do
    sed -E "$script" "$manual" >"$scratch/spoilt"
    cmp -s "$manual" "$scratch/spoilt" && fail "$what: $script: the planted fault is none"
    [ "$("check_$what" "$scratch/spoilt")" != "$said" ] || fail "$what: $script is not found"
  done
}

check functions '/^\.It .*Fn shmreg_lookup /d' '/^\.It .*Fn Service::tags/d' \
  's/^(\.It .*Fn shmreg_lookup)_all/\1_some/' 's/^(\.It .*Fn Registry::count) .*/\1/' \
  's/^\.Fn shmreg_report_free/.Fn shmreg_report_close/'
check types 's/^\.It Va has_group/.It Va group/' '/^\.It Vt WaitOptions/d' \
  's/^(\.It Vt shmreg_owner_info)/\1s/' 's/dumping_core , //'
check codes 's/^\.It Dv SHMREG_BUSY .*/.It busy/' 's/, Li no_space/, Li nospace/'
if command -v cc >/dev/null && command -v c++ >/dev/null; then
  check examples 's/shmreg_text_of\("tcp/shmreg_text_from("tcp/' 's/db\.endpoint\(\)/db.address()/'
fi

if command -v mandoc >/dev/null; then
  lint=$(mandoc -T lint -W warning "$manual" 2>/dev/null)
  [ -z "$lint" ] || fail "$lint"
fi
if [ "$failures" -ne 0 ]; then
  echo "man_shmreg3_agrees: $failures failed"
  exit 1
fi
