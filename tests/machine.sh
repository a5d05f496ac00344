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

# The foreign peers: SIP trunk and telephones, a SIP proxy with SHA-256 digest, a name server, a relay, a browser.
need_peers() {
  need_command sipp sip-tester baresip baresip-core linphonec linphone-cli chromium chromium openssl openssl sqlite3 sqlite3
  # Debian keeps kamailio in sbin, which is not on every user's path.
  PATH=$PATH:/usr/sbin need_command kamailio kamailio
  need_file "/usr/lib/*/kamailio/modules/tls.so" kamailio-tls-modules
  PATH=$PATH:/usr/sbin need_command dnsmasq dnsmasq-base
  need_command turnserver coturn
}

# need_file PATTERN PACKAGE: installs the package when no file is there.
need_file() {
  if compgen -G "$1" >/dev/null; then return; fi
  printf 'installing: %s\n' "$2"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

# The media plane's tests speak to a foreign telephone.
need_telephone() { need_command baresip baresip-core; }

# The ledger's tests and a scenario start clusters of their own.
need_postgres() {
  if ! compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then need_command initdb postgresql; fi
}

# A tool that cargo itself can install.
need_cargo_tool() {
  command -v "$1" >/dev/null || cargo install --locked --quiet "$1"
}

# Requests made of the description of the interfaces: in a Python environment of its own, kept between runs.
need_schemathesis() {
  local home=${XDG_CACHE_HOME:-$HOME/.cache}/ringback-tests/schemathesis
  export RINGBACK_SCHEMATHESIS=${RINGBACK_SCHEMATHESIS:-$home/bin/st}
  if [ -x "$RINGBACK_SCHEMATHESIS" ]; then return; fi
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
  python3 -m venv "$home" && "$home/bin/pip" install -q "schemathesis==4.32.5"
}
