import { ImageError } from "./image_error.ts";
import { fileDigest } from "./file_digest.ts";
import { runProgram } from "./run_program.ts";
import type { Architecture } from "./shared_libraries.ts";
import { removedAtEnd } from "./temporary_folder.ts";

/** The Deno that runs the server in the Pod. The server needs 2.8 or newer (TLS on accepted sockets). */
export const IMAGE_DENO_VERSION = "2.9.6";

/** Deno's own packages on npm, of version {@link IMAGE_DENO_VERSION}, and the digests of their executables, as in Deno's own releases. */
const PACKAGES: Record<Architecture, { readonly name: string; readonly digest: string }> = {
  amd64: { name: "@deno/linux-x64-glibc", digest: "sha256:bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0" },
  arm64: { name: "@deno/linux-arm64-glibc", digest: "sha256:d08d392418df53f4e6e88a08909c0e1bccbf9adcead7232df72b6ad6075ec416" },
};

/** Where to keep the image's Deno. */
export interface ImageDenoOptions {
  /** kurun's cache folder; it exists. */
  readonly cacheFolder: string;
  /** Variables for npm and tar, in addition to kurun's own; for tests. */
  readonly env?: Readonly<Record<string, string>>;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Finds the Deno that goes into the image: the one in the cache, the one that runs kurun if it is the same, or npm's, fetched by the user's
 * `npm`, which knows about mirrors, proxies and certificates.
 *
 * @returns the executable's path on this machine
 * @throws ImageError if it cannot be fetched, or is not the expected one
 */
export async function imageDeno(architecture: Architecture, options: ImageDenoOptions): Promise<string> {
  const { cacheFolder, progress } = options;
  const { digest } = PACKAGES[architecture];
  const kept = `${cacheFolder}/deno-${IMAGE_DENO_VERSION}-${architecture}`;
  for (const path of [kept, ...Deno.version.deno === IMAGE_DENO_VERSION ? [Deno.execPath()] : []]) {
    if (await fileDigest(path).catch(() => undefined) === digest) return path;
  }
  progress(`Fetching Deno ${IMAGE_DENO_VERSION} for ${architecture} from npm`);
  await fetchFromNpm(kept, architecture, options);
  // The Deno of earlier versions of kurun: 95 MB each.
  for await (const { name } of Deno.readDir(cacheFolder)) {
    const path = `${cacheFolder}/${name}`;
    if (name.startsWith("deno-") && name.endsWith(`-${architecture}`) && path !== kept) await Deno.remove(path).catch(() => {});
  }
  return kept;
}

async function fetchFromNpm(target: string, architecture: Architecture, options: ImageDenoOptions): Promise<void> {
  const { name, digest } = PACKAGES[architecture];
  const wanted = `${name}@${IMAGE_DENO_VERSION}`;
  const folder = await Deno.makeTempDir({ dir: options.cacheFolder, prefix: ".npm-" });
  await using _ = removedAtEnd(folder);
  const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  await run(npm, ["pack", wanted, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error"], wanted, options);
  const archive = `${name.slice(1).replace("/", "-")}-${IMAGE_DENO_VERSION}.tgz`;
  await run("tar", ["-xzf", `${folder}/${archive}`, "-C", folder, "package/deno"], wanted, options);
  const executable = `${folder}/package/deno`;
  const found = await fileDigest(executable);
  if (found !== digest) {
    throw new ImageError(`the executable in ${wanted} from npm has the digest ${found}, but kurun expects ${digest}`);
  }
  await Deno.rename(executable, target);
}

async function run(program: string, args: string[], wanted: string, { signal, env }: ImageDenoOptions): Promise<void> {
  const { failure, missing } = await runProgram(program, args, { env, signal });
  if (failure === undefined) return;
  const install = program === "tar" ? "tar" : "Node.js, which includes npm (https://nodejs.org)";
  const advice = missing
    ? `Install ${install}, or run kurun with Deno ${IMAGE_DENO_VERSION} on Linux of the cluster's architecture, which needs no download.`
    : "Check the network, and the registry that npm config get registry prints.";
  // npm names its own log at the end.
  const what = failure.replace(/(?: npm \S+)? A complete log of this run can be found.*$/, "");
  throw new ImageError(`cannot fetch Deno for the image (${wanted}): ${what}\n${advice}`);
}
