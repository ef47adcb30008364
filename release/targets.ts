/**
 * What a release consists of. The version comes from deno.json; everything else that names a target, an archive or an address takes it from
 * here.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** The version that is released, such as `0.1.0`. Its tag is `v0.1.0`. */
export const VERSION: string = config.version;

/** Where releases are published. */
export const HOMEPAGE = "https://github.com/kurun-dev/kurun";

/** A platform that gets an executable. */
export interface Target {
  /** The name of `deno compile --target`. */
  readonly triple: string;
  /** Go's names, as krew, kubectl and most of its plugins use them. */
  readonly os: "linux" | "darwin" | "windows";
  readonly arch: "amd64" | "arm64";
}

/** All targets. install.sh knows them too. */
export const TARGETS: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", os: "linux", arch: "amd64" },
  { triple: "aarch64-unknown-linux-gnu", os: "linux", arch: "arm64" },
  { triple: "x86_64-apple-darwin", os: "darwin", arch: "amd64" },
  { triple: "aarch64-apple-darwin", os: "darwin", arch: "arm64" },
  { triple: "x86_64-pc-windows-msvc", os: "windows", arch: "amd64" },
];

/** The executable's name in the archive. */
export function executableName({ os }: Target): string {
  return os === "windows" ? "kurun.exe" : "kurun";
}

/** The archive's name. It has no version in it, so that `releases/latest/download/` serves it under a fixed address. */
export function archiveName({ os, arch }: Target): string {
  return `kurun-${os}-${arch}${os === "windows" ? ".zip" : ".tar.gz"}`;
}

/** The address of a file of this release. */
export function releaseUrl(file: string): string {
  return `${HOMEPAGE}/releases/download/v${VERSION}/${file}`;
}

/** A file of the release. */
export interface ReleasedFile {
  readonly name: string;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** An archive of the release, with the target that it is for. */
export interface Archive extends ReleasedFile {
  readonly target: Target;
}
