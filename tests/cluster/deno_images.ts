/**
 * Images built as denoland/deno's are (https://github.com/denoland/deno_docker), from this machine's files and Debian's packages: the
 * registry cannot be reached. They differ in where Deno and its libraries are and in what starts it; none of them has a user of its own.
 *
 * @module
 */
import { rootCertificates } from "node:tls";
import type { ImageContents } from "../../k8s/images/image_archive.ts";
import { IMAGE_DENO_VERSION, imageDeno } from "../../k8s/images/image_deno.ts";
import { cachedLayer } from "../../k8s/images/layer_cache.ts";
import { type Architecture, findSharedLibraries } from "../../k8s/images/shared_libraries.ts";
import type { TarEntry } from "../../k8s/images/tar.ts";
import { findProgram, isFile, runCommand } from "./commands.ts";
import { ClusterError } from "./errors.ts";
import { goArchitecture } from "./go.ts";

/** The layouts of denoland/deno's images. */
export type DenoLayout = "distroless" | "debian" | "alpine";

/** The name of the image with a layout. The distroless one is kurun's default. */
export function denoImage(layout: DenoLayout): string {
  return `docker.io/denoland/deno:${layout}-${IMAGE_DENO_VERSION}`;
}

const ENTRYPOINT: Record<DenoLayout, readonly string[]> = {
  distroless: ["/tini", "--", "/bin/deno"],
  debian: ["/tini", "--", "docker-entrypoint.sh"],
  alpine: ["/tini", "--", "docker-entrypoint.sh"],
};
/** Commands of Deno go to Deno, everything else is a program to start. */
const SHELL_ENTRYPOINT = '#!/bin/sh\nset -e\ncase "$1" in\n  -* | run | eval) exec deno "$@" ;;\nesac\nexec "$@"\n';
const ARCHITECTURE = goArchitecture() as Architecture;
const TRIPLET = ARCHITECTURE === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const LOADER = ARCHITECTURE === "arm64" ? "lib/ld-linux-aarch64.so.1" : "lib64/ld-linux-x86-64.so.2";
/** Where the alpine image keeps glibc. */
const ISOLATED = "usr/local/lib/glibc";

/** An image with a layout. @param cache a folder for what takes long: Deno, and packed layers */
export async function denoImageContents(layout: DenoLayout, cache: string): Promise<ImageContents> {
  const entries = { distroless, debian, alpine }[layout];
  return {
    reference: denoImage(layout),
    platform: { os: "linux", architecture: ARCHITECTURE },
    config: {
      entrypoint: ENTRYPOINT[layout],
      cmd: ["eval", "console.log('Welcome to Deno!')"],
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ...(layout === "distroless" ? { SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" } : {}),
        DENO_USE_CGROUPS: "1",
        DENO_DIR: "/deno-dir/",
        DENO_INSTALL_ROOT: "/usr/local",
        DENO_VERSION: IMAGE_DENO_VERSION,
      },
    },
    layers: [await cachedLayer(cache, await entries(cache))],
  };
}

async function distroless(cache: string): Promise<TarEntry[]> {
  const certificates = new TextEncoder().encode(rootCertificates.map((pem) => `${pem.trim()}\n`).sort().join(""));
  return [
    file("etc/passwd", passwd("nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin")),
    file("etc/ssl/certs/ca-certificates.crt", certificates),
    { type: "directory", path: "tmp", mode: 0o1777 },
    program("bin/deno", await deno(cache)),
    program("tini", await debianProgram("tini")),
    ...await glibc(`lib/${TRIPLET}`),
  ];
}

async function debian(cache: string): Promise<TarEntry[]> {
  return [
    file("etc/passwd", passwd("deno:x:1993:1993::/home/deno:/bin/sh")),
    { type: "symlink", path: "bin", target: "usr/bin" },
    { type: "symlink", path: "lib", target: "usr/lib" },
    { type: "symlink", path: "lib64", target: "usr/lib64" },
    { type: "directory", path: "deno-dir" },
    { type: "directory", path: "tmp", mode: 0o1777 },
    program("usr/bin/deno", await deno(cache)),
    program("usr/bin/sh", await debianProgram("dash")),
    file("usr/local/bin/docker-entrypoint.sh", SHELL_ENTRYPOINT, 0o755),
    program("tini", await debianProgram("tini")),
    ...await glibc(`usr/lib/${TRIPLET}`, `usr/${LOADER}`),
  ];
}

async function alpine(cache: string): Promise<TarEntry[]> {
  return [
    file("etc/passwd", passwd("deno:x:1000:1000::/home/deno:/bin/sh")),
    { type: "directory", path: "deno-dir" },
    { type: "directory", path: "tmp", mode: 0o1777 },
    program("bin/busybox", await debianProgram("busybox")),
    { type: "symlink", path: "bin/sh", target: "busybox" },
    program("bin/deno", await withIsolatedLibraries(await deno(cache), `${cache}/deno-alpine-${IMAGE_DENO_VERSION}`)),
    file("usr/local/bin/docker-entrypoint.sh", SHELL_ENTRYPOINT, 0o755),
    program("tini", await withIsolatedLibraries(await debianProgram("tini"), `${cache}/tini-alpine`)),
    ...await glibc(ISOLATED),
  ];
}

/** glibc in a folder, and its dynamic loader where programs expect it. */
async function glibc(folder: string, loader: string = LOADER): Promise<TarEntry[]> {
  const libraries = await findSharedLibraries(ARCHITECTURE);
  const target = `/${folder}/${LOADER.slice(LOADER.lastIndexOf("/") + 1)}`;
  return [...libraries.map(({ name, path }) => program(`${folder}/${name}`, path)), { type: "symlink", path: loader, target }];
}

/** A copy of a program that looks for its libraries where the alpine image has them. */
async function withIsolatedLibraries(path: string, copy: string): Promise<string> {
  if (await isFile(copy)) return copy;
  const patched = await debianProgram("patchelf");
  const { code, said } = await runCommand([patched, "--set-rpath", `/${ISOLATED}`, "--output", `${copy}.part`, path]);
  if (code !== 0) throw new ClusterError(`patchelf ended with exit code ${code}: ${said}`);
  await Deno.rename(`${copy}.part`, copy);
  return copy;
}

function deno(cache: string): Promise<string> {
  return imageDeno(ARCHITECTURE, { cacheFolder: cache, progress: () => {} });
}

async function debianProgram(name: string): Promise<string> {
  const path = await findProgram(name);
  if (!path) throw new ClusterError(`${name} is missing although its package is installed`);
  return path;
}

function passwd(user: string): string {
  return `root:x:0:0:root:/root:/sbin/nologin\n${user}\n`;
}

function file(path: string, contents: string | Uint8Array, mode = 0o644): TarEntry {
  return { type: "file", path, mode, contents: typeof contents === "string" ? new TextEncoder().encode(contents) : contents };
}

function program(path: string, copyOf: string): TarEntry {
  return { type: "file", path, mode: 0o755, contents: { copyOf } };
}
