import { readElf } from "./elf.ts";
import { fileDigest } from "./image_layer.ts";
import type { Architecture } from "./shared_libraries.ts";

/** The Deno that runs the server in the Pod. The server's code needs 2.8 or newer (TLS on accepted sockets). */
export const IMAGE_DENO_VERSION = "2.9.6";

interface Distribution {
  readonly package: string;
  /** The digest of its executable, which is also the one that Deno's own releases have; where unknown, npm's check stands alone. */
  readonly digest?: string;
  /** Where its executables look for the dynamic loader: what the image must have there. */
  readonly interpreter: string;
}

/** Deno's own packages on npm, and what is known of version {@link IMAGE_DENO_VERSION} of each. */
const DISTRIBUTIONS: Record<Architecture, Distribution> = {
  amd64: {
    package: "@deno/linux-x64-glibc",
    digest: "sha256:bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0",
    interpreter: "/lib64/ld-linux-x86-64.so.2",
  },
  arm64: { package: "@deno/linux-arm64-glibc", interpreter: "/lib/ld-linux-aarch64.so.1" },
};

/** No Deno for the image could be had: the message says what was tried and what came back. */
export class ImageDenoError extends Error {
  override readonly name = "ImageDenoError";
}

/** Where to look for the image's Deno, and where to keep it. */
export interface ImageDenoOptions {
  /** kurun's cache folder; it exists. */
  readonly cacheFolder: string;
  /** A Deno to take instead, of any version. */
  readonly executable?: string;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Finds the Deno that goes into the image: the one that runs kurun where it is the same, else the one in the cache, else
 * npm's, fetched by the user's `npm`, which knows about mirrors, proxies and certificates.
 *
 * @returns the executable's path on this machine
 * @throws ImageDenoError where there is none, or it is not what it should be
 */
export async function imageDeno(architecture: Architecture, options: ImageDenoOptions): Promise<string> {
  if (options.executable !== undefined) return await checked(options.executable, architecture);
  const running = await runningDeno(architecture);
  if (running !== undefined) return running;
  const { digest } = DISTRIBUTIONS[architecture];
  const kept = `${options.cacheFolder}/deno-${IMAGE_DENO_VERSION}-${architecture}`;
  if (await isFile(kept) && (digest === undefined || await fileDigest(kept) === digest)) return kept;
  options.progress(`fetching Deno ${IMAGE_DENO_VERSION} for ${architecture} from npm`);
  await fetchFromNpm(kept, architecture, options);
  await removeOthers(options.cacheFolder, kept, architecture);
  return kept;
}

/** The Deno that runs kurun, if it is the very one, or where no digest is known, one of that version that would start in the image. */
async function runningDeno(architecture: Architecture): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.standalone) return undefined;
  const path = Deno.execPath();
  const { digest, interpreter } = DISTRIBUTIONS[architecture];
  if (digest !== undefined) return await fileDigest(path) === digest ? path : undefined;
  const elf = await readElf(path);
  return elf.architecture === architecture && elf.interpreter === interpreter ? path : undefined;
}

/** Refuses what would not start in the image: a Deno of another architecture, or of a system with paths of its own, such as Nix. */
async function checked(path: string, architecture: Architecture): Promise<string> {
  const elf = await readElf(path);
  const { interpreter } = DISTRIBUTIONS[architecture];
  if (elf.architecture !== architecture || elf.interpreter !== interpreter) {
    throw new ImageDenoError(
      `${path} is no Deno for ${architecture} Linux with glibc: its loader is ${elf.interpreter ?? "none"}, not ${interpreter}`,
    );
  }
  return path;
}

async function fetchFromNpm(target: string, architecture: Architecture, options: ImageDenoOptions): Promise<void> {
  const distribution = DISTRIBUTIONS[architecture];
  const wanted = `${distribution.package}@${IMAGE_DENO_VERSION}`;
  const folder = await Deno.makeTempDir({ dir: options.cacheFolder, prefix: ".npm-" });
  try {
    // npm checks what it gets against the registry's own digest of it.
    const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
    await run(npm, ["pack", wanted, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error"], wanted, options.signal);
    const archive = `${distribution.package.slice(1).replace("/", "-")}-${IMAGE_DENO_VERSION}.tgz`;
    await run("tar", ["-xzf", `${folder}/${archive}`, "-C", folder, "package/deno"], wanted, options.signal);
    const executable = `${folder}/package/deno`;
    const digest = await fileDigest(executable);
    if (distribution.digest !== undefined && digest !== distribution.digest) {
      throw new ImageDenoError(
        `npm gave another ${wanted} than kurun was made for: its executable is ${digest}, not ${distribution.digest}`,
      );
    }
    await Deno.rename(await checked(executable, architecture), target);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Removes the Deno of earlier versions of kurun: 95 MB each. */
async function removeOthers(folder: string, kept: string, architecture: Architecture): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (name.startsWith("deno-") && name.endsWith(`-${architecture}`) && path !== kept) await Deno.remove(path).catch(() => {});
  }
}

async function run(program: string, args: string[], wanted: string, signal?: AbortSignal): Promise<void> {
  const give = `Put ${program} on the PATH, or name a Deno executable for the image yourself`;
  signal?.throwIfAborted();
  let output;
  try {
    output = await new Deno.Command(program, { args, stdout: "null", stderr: "piped", ...signal && { signal } }).output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ImageDenoError(`Cannot fetch ${wanted}: there is no ${program} here. ${give}`, { cause });
  }
  signal?.throwIfAborted();
  if (output.success) return;
  const said = new TextDecoder().decode(output.stderr).trim();
  throw new ImageDenoError(
    `Cannot fetch ${wanted}: ${program} ended with ${output.code} and said\n${said}\nName a Deno executable for the image yourself where npm cannot be reached`,
  );
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
