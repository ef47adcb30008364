#!/bin/sh
# Installs kurun on Linux and macOS, for the current user, or as root for all users:
#
#   curl -fsSL https://github.com/kurun-dev/kurun/releases/latest/download/install.sh | sh
#
# Variables: KURUN_VERSION      the version, such as 0.1.0 (default: the newest release)
#            KURUN_INSTALL_DIR  where the executable goes (default: ~/.local/bin, or /usr/local/bin as root)
#            KURUN_BASE_URL     a mirror of the releases; it must have download/vVERSION/ and latest/download/
#
# If that folder is named bin, the man pages go to share/man/man1 next to it, where man looks for them.
#
# Nothing is installed unless the archive has the SHA-256 that the release's checksums.txt says, and the executable runs on this machine.
set -eu

fail() {
  printf 'kurun was not installed: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf '%s\n' "$2" >&2
  exit 1
}

# Prints the name of this machine's platform, as in the names of the archives.
platform() {
  os=$(uname -s)
  machine=$(uname -m)
  case $os in
    Linux) os=linux ;;
    Darwin)
      os=darwin
      # A shell under Rosetta reports x86_64 on Apple silicon.
      [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" != 1 ] || machine=arm64
      ;;
    MINGW* | MSYS* | CYGWIN* | Windows*)
      fail "this script is for Linux and macOS, and this is Windows" "Install it with Scoop, or unpack kurun-windows-amd64.zip of the release."
      ;;
    *) fail "there is no executable for $os" "It can run from source on Deno: see the README." ;;
  esac
  case $machine in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "there is no executable for $os on $machine" "It can run from source on Deno: see the README." ;;
  esac
  printf '%s-%s\n' "$os" "$machine"
}

# download URL FILE. curl also refuses to be redirected to http://.
download() {
  if command -v curl >/dev/null; then
    case $1 in
      https://*) curl -fsSL --proto '=https' --tlsv1.2 --connect-timeout 20 --retry 2 -o "$2" "$1" ;;
      *) curl -fsS --connect-timeout 20 -o "$2" "$1" ;;
    esac
  elif command -v wget >/dev/null; then
    wget -q -T 20 -O "$2" "$1"
  else
    fail "neither curl nor wget was found in PATH"
  fi
}

# Prints the SHA-256 of a file in hexadecimal, then a space and more.
sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1"
  elif command -v shasum >/dev/null; then
    shasum -a 256 <"$1"
  elif command -v openssl >/dev/null; then
    openssl dgst -sha256 -r <"$1"
  else
    fail "none of sha256sum, shasum and openssl was found in PATH, and the download must be verified"
  fi
}

# listed FILE NAME: prints the checksum of NAME in a list of lines "SUM  NAME".
listed() {
  while read -r sum name; do
    [ "$name" != "$2" ] || printf '%s\n' "$sum"
  done <"$1"
}

main() {
  base=${KURUN_BASE_URL:-https://github.com/kurun-dev/kurun/releases}
  version=${KURUN_VERSION-}
  version=${version#v}
  directory=${KURUN_INSTALL_DIR-}
  # Root's PATH has no ~/.local/bin, and under sudo that folder may be another user's.
  if [ -z "$directory" ] && [ "$(id -u)" = 0 ]; then directory=/usr/local/bin; fi
  [ -n "$directory" ] || directory=${HOME:?}/.local/bin
  case $base in
    https://* | http://localhost[:/]* | http://127.0.0.1[:/]* | http://\[::1\]*) ;;
    *) fail "KURUN_BASE_URL must start with https://, got $base" "Over http:// anyone on the network could replace both the archive and its checksum." ;;
  esac
  case $version in
    *[!0-9A-Za-z.+-]*) fail "KURUN_VERSION must be a version such as 0.1.0, got $version" ;;
    "") from=$base/latest/download ;;
    *) from=$base/download/v$version ;;
  esac
  target=$(platform)
  archive=kurun-$target.tar.gz
  for program in tar gzip; do
    command -v "$program" >/dev/null || fail "$program was not found in PATH, and it is needed to unpack $archive"
  done

  mkdir -p "$directory" 2>/dev/null || fail "the folder $directory cannot be created" "Set KURUN_INSTALL_DIR to a folder that you may write to."
  # In the same folder, so that the last step is one rename: a kurun that is there stays until the new one is complete.
  work=$(mktemp -d "$directory/.kurun-install.XXXXXX" 2>/dev/null) ||
    fail "the folder $directory cannot be written to" "Set KURUN_INSTALL_DIR to a folder that you may write to."
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  printf 'Downloading %s\n' "$from/$archive" >&2
  download "$from/checksums.txt" "$work/checksums.txt" || fail "$from/checksums.txt could not be downloaded"
  wanted=$(listed "$work/checksums.txt" "$archive")
  case $wanted in
    "" | *[!0-9a-f]*) fail "$from/checksums.txt has no single SHA-256 for $archive" ;;
  esac
  download "$from/$archive" "$work/$archive" || fail "$from/$archive could not be downloaded"
  found=$(sha256 "$work/$archive")
  found=${found%% *}
  [ "$found" = "$wanted" ] ||
    fail "$archive does not have the checksum that the release says" "Expected $wanted, got $found. Try again; if that does not help, do not use the file."

  tar -xzof "$work/$archive" -C "$work" || fail "$archive could not be unpacked"
  [ -f "$work/kurun" ] || fail "$archive could not be unpacked: it does not contain kurun"
  chmod 755 "$work/kurun"
  says=$("$work/kurun" version 2>&1) ||
    fail "the executable for $target does not run on this machine: $says" "On Linux it needs glibc, which Alpine does not have. kurun also runs from source on Deno: see the README."
  says=${says%%,*}
  case ${version:+$says} in
    "" | "kurun $version") ;;
    *) fail "the archive of version $version contains $says" ;;
  esac
  mv -f "$work/kurun" "$directory/kurun" || fail "$directory/kurun could not be replaced"
  case $directory in
    ?*/bin)
      # kurun is complete without them.
      pages=${directory%bin}share/man/man1
      if mkdir -p "$pages" 2>/dev/null; then mv -f "$work"/man/*.1 "$pages" 2>/dev/null || :; fi
      ;;
  esac

  case :$PATH: in
    *":$directory:"*) next="kurun doctor" ;;
    *) next="export PATH=\"$directory:\$PATH\" && kurun doctor" ;;
  esac
  printf '%s is installed in %s. Next: %s\n' "$says" "$directory" "$next"
}

# The last line, so that a script that was cut on its way does nothing.
main
