# What the tests need of the machine, installed when it is missing. Sourced by tests/run.

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# need_command COMMAND PACKAGE …: pairs; installs the packages of the commands that are not there.
need_command() {
  local packages=()
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || packages+=("$2")
    shift 2
  done
  if [ "${#packages[@]}" -eq 0 ]; then return; fi
  printf 'installing: %s\n' "${packages[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

need_toolchains() {
  local missing=()
  command -v cargo >/dev/null || missing+=("Rust 1.95 or newer (cargo)")
  command -v node >/dev/null || missing+=("Node 20.19 or newer (node, npm)")
  if [ "${#missing[@]}" -gt 0 ]; then
    printf 'please install first: %s\n' "${missing[@]}" >&2
    exit 2
  fi
  need_command cc build-essential
}

# The foreign peers: SIP trunk and telephones, a SIP proxy with SHA-256 digest, a browser.
need_peers() {
  need_command sipp sip-tester baresip baresip chromium chromium
  # Debian keeps kamailio in sbin, which is not on every user's path.
  PATH=$PATH:/usr/sbin need_command kamailio kamailio
}

need_postgres() {
  if ! compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then need_command initdb postgresql; fi
}

# Runs a command as somebody PostgreSQL accepts as its owner: it refuses root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# A throw-away cluster in the folder given, reached through a socket in it and a free port of 127.0.0.1.
postgres_up() {
  local folder=$1 bin port
  bin=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")
  port=$(node -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
  mkdir -p "$folder"
  chmod 711 "$(dirname "$folder")"
  if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
  as_postgres "$bin/initdb" -D "$folder/data" -U ringback -A trust -E UTF8 --no-sync >/dev/null
  as_postgres "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
    -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$folder -c fsync=off -c max_connections=200" start >/dev/null
  postgres_stop=("$bin/pg_ctl" -D "$folder/data" -m immediate stop)
  export RINGBACK_TEST_POSTGRES="postgres://ringback@127.0.0.1:$port/postgres"
}

postgres_down() {
  if [ -n "${postgres_stop+set}" ]; then as_postgres "${postgres_stop[@]}" >/dev/null || true; fi
  unset postgres_stop
}
