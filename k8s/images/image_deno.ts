import { readElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";
import { fileDigest } from "./image_layer.ts";
import type { Architecture } from "./shared_libraries.ts";

/** The Deno that runs the server in the Pod. The server needs 2.8 or newer (TLS on accepted sockets). */
export const IMAGE_DENO_VERSION = "2.9.6";

interface Distribution {
  readonly package: string;
  /** The digest of its executable, which Deno's own releases have too; if it is unknown, npm's own check has to do. */
  readonly digest?: string;
  /** The dynamic loader's path in its executables: the image must have it there. */
  readonly interpreter: string;
}

/** Deno's own packages on npm, of version {@link IMAGE_DENO_VERSION}. */
const DISTRIBUTIONS: Record<Architecture, Distribution> = {
  amd64: {
    package: "@deno/linux-x64-glibc",
    digest: "sha256:bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0",
    interpreter: "/lib64/ld-linux-x86-64.so.2",
  },
  arm64: { package: "@deno/linux-arm64-glibc", interpreter: "/lib/ld-linux-aarch64.so.1" },
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
 * Finds the Deno that goes into the image: the one that runs kurun if it is the same, else the one in the cache, else npm's, fetched by
 * the user's `npm`, which knows about mirrors, proxies and certificates.
 *
 * @returns the executable's path on this machine
 * @throws ImageError if it cannot be fetched, or is not the expected one
 */
export async function imageDeno(architecture: Architecture, options: ImageDenoOptions): Promise<string> {
  const { digest } = DISTRIBUTIONS[architecture];
  const running = await runningDeno(architecture);
  if (running !== undefined) return running;
  const kept = `${options.cacheFolder}/deno-${IMAGE_DENO_VERSION}-${architecture}`;
  if (await Deno.stat(kept).then(({ isFile }) => isFile, () => false) && (digest === undefined || await fileDigest(kept) === digest)) {
    return kept;
  }
  options.progress(`fetching Deno ${IMAGE_DENO_VERSION} for ${architecture} from npm`);
  await fetchFromNpm(kept, architecture, options);
  await removeOthers(options.cacheFolder, kept, architecture);
  return kept;
}

/** The Deno that runs kurun, if it has the known digest; if none is known, it must have the version and would start in the image. */
async function runningDeno(architecture: Architecture): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.standalone) return undefined;
  const path = Deno.execPath();
  const { digest } = DISTRIBUTIONS[architecture];
  if (digest !== undefined) return await fileDigest(path) === digest ? path : undefined;
  return await checkImageDeno(path, architecture).then(() => path, () => undefined);
}

/**
 * Refuses a Deno that would not start in the image: one for another architecture, or from a system with its own paths, such as Nix.
 * @throws ImageError
 */
export async function checkImageDeno(path: string, architecture: Architecture): Promise<void> {
  const elf = await readElf(path);
  const { interpreter } = DISTRIBUTIONS[architecture];
  if (elf.architecture === architecture && elf.interpreter === interpreter) return;
  throw new ImageError(
    `${path} is not a Deno for ${architecture} Linux with glibc: its loader is ${elf.interpreter ?? "missing"}, expected ${interpreter}`,
  );
}

async function fetchFromNpm(target: string, architecture: Architecture, options: ImageDenoOptions): Promise<void> {
  const distribution = DISTRIBUTIONS[architecture];
  const wanted = `${distribution.package}@${IMAGE_DENO_VERSION}`;
  const folder = await Deno.makeTempDir({ dir: options.cacheFolder, prefix: ".npm-" });
  try {
    // npm compares what it gets with the registry's own digest.
    const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
    await run(npm, ["pack", wanted, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error"], wanted, options);
    const archive = `${distribution.package.slice(1).replace("/", "-")}-${IMAGE_DENO_VERSION}.tgz`;
    await run("tar", ["-xzf", `${folder}/${archive}`, "-C", folder, "package/deno"], wanted, options);
    const executable = `${folder}/package/deno`;
    const digest = await fileDigest(executable);
    if (distribution.digest !== undefined && digest !== distribution.digest) {
      throw new ImageError(
        `npm's ${wanted} is not the one that kurun was made for: its executable is ${digest}, expected ${distribution.digest}`,
      );
    }
    await checkImageDeno(executable, architecture);
    await Deno.rename(executable, target);
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

async function run(program: string, args: string[], wanted: string, { signal, env = {} }: ImageDenoOptions): Promise<void> {
  signal?.throwIfAborted();
  let output;
  try {
    output = await new Deno.Command(program, { args, env: { ...env }, stdout: "null", stderr: "piped", ...signal && { signal } }).output();
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? `${program} was not found in PATH` : `${program}: ${(cause as Error).message}`;
    const install = program === "tar" ? "tar" : "Node.js, which includes npm (https://nodejs.org)";
    throw new ImageError(
      `cannot fetch Deno for the image (${wanted}): ${why}\nInstall ${install}, or run kurun with Deno ${IMAGE_DENO_VERSION} ` +
        "on Linux of the cluster's architecture: then nothing is fetched.",
      { cause },
    );
  }
  signal?.throwIfAborted();
  if (output.success) return;
  const lines = new TextDecoder().decode(output.stderr).trim().split("\n");
  const said = lines.filter((line) => !line.includes("complete log of this run")).join(" ");
  throw new ImageError(
    `cannot fetch Deno for the image (${wanted}): ${program} failed with exit code ${output.code}: ${said.slice(0, 500)}\n` +
      "Check the network, and the registry that npm config get registry prints.",
  );
}
