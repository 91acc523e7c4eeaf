#!/usr/bin/env bash
# Ten programs as they are, under names: each killed with -9 while its wrapper is stopped, and not
# found 1 ms later, with no daemon running. The wrapper is stopped so that it cannot be what tells.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # inner shells expand
. "$(dirname "$0")/_lib.sh"
needs jq
gone_after=$SHMREG_BIN/tests/gone_after
[ -x "$gone_after" ] || skip "$gone_after is not built"
regctl create

# A millisecond is short for a machine that is busy with other things: what asks needs a processor to
# ask on. So many tries a program; what counts is the middle one. That it comes back never may be.
tries=5
[ -z "${SHMREG_SANITIZE:-}" ] || tries=3

# Programs here start no others: what is killed is then all there is.
declare -A missing
program() { # NAME: sets $argv to a real program of that name, or to a stand-in, with a word
  local name=$1 directory=$scratch/$1.$2
  mkdir -p "$directory"
  case $name in
    http) tool=python3 argv=(python3 -m http.server 0 --bind 127.0.0.1 --directory "$directory") ;;
    redis) tool=redis-server argv=(redis-server --port 0 --unixsocket "$directory/redis.sock"
      --dir "$directory" --save '' --daemonize no) ;;
    nginx)
      tool=nginx
      cat >"$directory/nginx.conf" <<CONFIGURATION
daemon off; master_process off; pid $directory/pid; error_log $directory/error.log;
events {}
http { access_log off; client_body_temp_path $directory/b; proxy_temp_path $directory/p;
  fastcgi_temp_path $directory/f; uwsgi_temp_path $directory/u; scgi_temp_path $directory/s;
  server { listen unix:$directory/nginx.sock; } }
CONFIGURATION
      argv=(nginx -p "$directory" -e "$directory/error.log" -c "$directory/nginx.conf")
      ;;
    sleep) tool=sleep argv=(sleep 1000) ;;
    cat)
      tool='cat'
      mkfifo "$directory/fifo"
      argv=(cat "$directory/fifo")
      ;;
    tail)
      tool='tail'
      : >"$directory/log"
      argv=(tail -f "$directory/log")
      ;;
    bash) tool=bash argv=(bash -c 'while read -r -t 1000 line <>"$0"; do :; done' "$directory/fifo") && mkfifo "$directory/fifo" ;;
    perl) tool=perl argv=(perl -e 'sleep 1000') ;;
    threads) tool=python3 argv=(python3 -c 'import threading, time
large = b"x" * (256 << 20)
for _ in range(8): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(1000)') ;;
    loop) tool=sh argv=(sh -c 'while :; do :; done') ;;
  esac
  command -v "$tool" >/dev/null && return
  [ -n "${missing[$name]:-}" ] || echo "$name: $tool is not installed; sleep stands in"
  missing[$name]=yes
  argv=(sleep 1000)
}

limit_us=$((1000 * SLOWNESS))
for name in http redis nginx sleep cat tail bash perl threads loop; do
  times=
  for try in $(seq "$tries"); do
    program "$name" "$try"
    "$REGCTL" -s "$segment" run "real/$name" -- "${argv[@]}" >"$scratch/$name.log" 2>&1 </dev/null &
    wrapper=$!
    processes+=("$wrapper")
    eventually registered "real/$name" || { fail "$name: $(cat "$scratch/$name.log")"; break; }
    command=$(started "real/$name")
    processes+=("$command")
    sleep 0.2 # until it is what it is to be
    if ended "$command"; then
      fail "$name ended by itself: $(cat "$scratch/$name.log")"
      break
    fi
    kill -STOP "$wrapper"
    eventually stopped "$wrapper"
    expect_out "$command" 0 regctl lookup "real/$name"
    run_it "$gone_after" "$segment" "real/$name" "$command"
    times+=" $out"
    expect 1 regctl lookup "real/$name"
    stopped "$wrapper" || fail "$name: its wrapper was not stopped"
    kill -CONT "$wrapper"
    wait "$wrapper"
    ended=$?
    [ "$ended" -eq 137 ] || fail "$name: its wrapper ended with $ended"
    [ "$status" -le 1 ] || fail "$name: $err"
  done
  middle=$(echo "$times" | xargs -n1 | sort -n | sed -n "$(((tries + 1) / 2))p")
  echo "$name: not found after$times us"
  if [ -z "$middle" ] || [ "$middle" -lt 0 ] || [ "$middle" -gt "$limit_us" ]; then
    fail "$name: still found after $limit_us us in most of $tries tries"
  fi
done
expect_out 0 0 regctl count
expect 0 regctl doctor
finish
