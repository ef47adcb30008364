/** Makes images of users' programs: static executables over a layer with what they expect of a system, scripts over Deno's layer. @module */
import { dirname } from "node:path";
import { rootCertificates } from "node:tls";
import { denoLayer, userEntries } from "./deno_layer.ts";
import { writeLayer } from "./image_layer.ts";
import { cachedLayer } from "./layer_cache.ts";
import { type ImageConfig, type OciImage, ociImage } from "./oci_image.ts";
import { DENO_ENVIRONMENT, DENO_PATH, IMAGE_USER } from "./server_command.ts";
import type { Architecture } from "./shared_libraries.ts";
import type { TarEntry } from "./tar.ts";

/** Options for {@link programImage}. */
export interface ProgramImageOptions {
  /** "executable" is a static binary for Linux, "script" one ES module for Deno. */
  readonly kind: "executable" | "script";
  /** The file on this machine. */
  readonly path: string;
  /** The executable's name in the image. */
  readonly name: string;
  readonly architecture: Architecture;
  /** The unstable features of Deno that a script runs with: `kv` for `--unstable-kv`. */
  readonly unstable?: readonly string[];
  /** The caches of the lower layers: Deno's, which `kurun image` shares, and that of static programs. */
  readonly denoFolder: string;
  readonly staticFolder: string;
  /** The file for the program's own layer. */
  readonly layerPath: string;
  /** Called with a line of text before each slow step. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

const COMMON_CONFIG = { user: `${IMAGE_USER}:${IMAGE_USER}`, workingDir: "/" } as const;
/** The folder of programs in the image. */
const FOLDER = "app";
/** A program is packed after every change, and most are sent to a nearby machine: gzip 9 would take three times as long for 3 %. */
const LEVEL = 6;

/**
 * Makes the image of a program. The same file and version of Deno give the same image on every machine.
 * @throws ImageError, or Deno's errors if files cannot be read or written
 */
export async function programImage(options: ProgramImageOptions): Promise<OciImage> {
  const { kind, path, architecture, signal } = options;
  const script = kind === "script";
  const file = `${FOLDER}/${script ? "main.js" : options.name}`;
  await Deno.mkdir(dirname(options.layerPath), { recursive: true });
  const [lower, own] = await Promise.all([
    script
      ? denoLayer(architecture, { cacheFolder: options.denoFolder, progress: options.progress, signal })
      : cachedLayer(options.staticFolder, staticEntries(), { signal }),
    writeLayer(options.layerPath, [
      { type: "directory", path: FOLDER },
      { type: "file", path: file, mode: script ? 0o644 : 0o755, contents: { copyOf: path } },
    ], { signal, level: LEVEL }),
  ]);
  const config = script
    ? scriptConfig(`/${file}`, options.unstable ?? [])
    : { ...COMMON_CONFIG, entrypoint: [`/${file}`], env: { PATH: `/${FOLDER}` } };
  return ociImage({ platform: { os: "linux", architecture }, config }, [lower, own]);
}

/** How a script is started. It gets all of Deno's permissions: like any other program, it is confined by its container. */
export function scriptConfig(main: string, unstable: readonly string[]): ImageConfig {
  const features = unstable.map((name) => `--unstable-${name}`);
  return {
    ...COMMON_CONFIG,
    entrypoint: [DENO_PATH, "run", "--allow-all", "--no-config", "--no-lock", "--no-code-cache", "--quiet", ...features, main],
    env: DENO_ENVIRONMENT,
  };
}

/** What static programs look for: user names, name resolution, certificates, and a folder for temporary files. */
function staticEntries(): TarEntry[] {
  const certificates = rootCertificates.map((pem) => `${pem.trim()}\n`).sort().join("");
  return [
    ...userEntries("nonroot"),
    { type: "directory", path: "etc/ssl" },
    { type: "directory", path: "etc/ssl/certs" },
    // Mozilla's, as Deno brings them: this machine's would make images differ. Their order differs between Deno 2.6 and 2.9.
    { type: "file", path: "etc/ssl/certs/ca-certificates.crt", contents: new TextEncoder().encode(certificates) },
    { type: "directory", path: "tmp", mode: 0o1777 },
  ];
}
