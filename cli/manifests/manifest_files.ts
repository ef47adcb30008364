import { basename, dirname, join, resolve } from "node:path";
import type { ManifestProblem } from "../../k8s/manifests/apply_plan.ts";
import { isLoopback } from "../local/loopback.ts";
import { decodeManifest } from "../../k8s/manifests/manifest_text.ts";

/** A manifest's text and where it came from. */
export interface ManifestFile {
  /** The name that the user gave, for messages. */
  readonly name: string;
  readonly text: string;
  /** The base of relative paths; undefined if the manifest was downloaded. */
  readonly folder: string | undefined;
}

/** Where to read manifests from. */
export interface ManifestFileOptions {
  /** Files, folders, URLs, and `-` for standard input. */
  readonly names: readonly string[];
  /** Whether to read folders within folders too. */
  readonly recursive: boolean;
  readonly cwd: string;
  readonly stdin: () => Promise<Uint8Array<ArrayBuffer>>;
  /** The command that reads standard input, for the hint about kustomizations: `kurun apply -f -`. */
  readonly command: string;
  readonly signal: AbortSignal;
}

/** The names of manifests in a folder, as in kubectl. */
export const MANIFEST_NAME = /\.(?:ya?ml|json)$/;
/** A longer download is most likely not a manifest, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;
const URL_TIMEOUT_MS = 30_000;

/** Reads all manifests, those of a folder in the order of their names. @returns the manifests, and a problem for each one that cannot be read */
export async function readManifestFiles(options: ManifestFileOptions): Promise<{ files: ManifestFile[]; problems: ManifestProblem[] }> {
  const problems: ManifestProblem[] = [];
  const files: ManifestFile[] = [];
  const fail = (file: string, what: string) => problems.push({ file, line: 0, column: 0, what });
  for (const name of options.names) {
    try {
      for await (const file of readNamed(name, options, fail)) {
        const text = decodeManifest(file.bytes);
        if (text === undefined) fail(file.name, "it is neither UTF-8 nor, with a byte order mark, UTF-16");
        else files.push({ ...file, text });
      }
    } catch (error) {
      options.signal.throwIfAborted();
      fail(name, describeFailure(error));
    }
  }
  return { files, problems };
}

type FileBytes = Omit<ManifestFile, "text"> & { readonly bytes: Uint8Array<ArrayBuffer> };

async function* readNamed(
  name: string,
  { cwd, recursive, command, signal, stdin }: ManifestFileOptions,
  fail: (file: string, what: string) => void,
): AsyncGenerator<FileBytes> {
  if (name === "-") return yield { name: "stdin", bytes: await stdin(), folder: cwd };
  if (/^https?:\/\//.test(name)) return yield { name, bytes: await download(new URL(name), signal), folder: undefined };
  const path = resolve(cwd, name);
  if (KUSTOMIZATION.test(basename(path))) throw kustomizeError(dirname(name), command);
  if (!(await Deno.stat(path)).isDirectory) return yield { name, bytes: await Deno.readFile(path), folder: dirname(path) };
  let found = false;
  for await (const inner of manifestsIn(name, { cwd, recursive, command })) {
    found = true;
    const path = resolve(cwd, inner);
    let bytes;
    try {
      bytes = await Deno.readFile(path);
    } catch (error) {
      // Deleted since it was listed, or a dangling link such as Emacs's lock `.#web.yaml`.
      if (!(error instanceof Deno.errors.NotFound)) fail(inner, describeFailure(error));
      continue;
    }
    yield { name: inner, bytes, folder: dirname(path) };
  }
  if (!found) throw new UnreadableError(`there are no .yaml, .yml or .json files in this folder${recursive ? "" : " (-R looks deeper)"}`);
}

/** The manifests of a folder by name, with those of nested folders in their place. Links to folders are not followed: they may lead back. */
async function* manifestsIn(
  folder: string,
  options: Pick<ManifestFileOptions, "cwd" | "recursive" | "command">,
): AsyncGenerator<string> {
  const { cwd, recursive, command } = options;
  const entries = await Array.fromAsync(Deno.readDir(resolve(cwd, folder)));
  for (const { name, isDirectory, isSymlink } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (KUSTOMIZATION.test(name)) throw kustomizeError(folder, command);
    const path = join(folder, name);
    const isFolder = isDirectory || isSymlink && await Deno.stat(resolve(cwd, path)).then((stat) => stat.isDirectory, () => false);
    if (isDirectory && recursive) yield* manifestsIn(path, options);
    else if (!isFolder && MANIFEST_NAME.test(name)) yield path;
  }
}

/** The names of the file that makes a folder a kustomization. */
const KUSTOMIZATION = /^(?:kustomization\.ya?ml|Kustomization)$/;

function kustomizeError(folder: string, command: string): UnreadableError {
  return new UnreadableError(`this is a kustomization; use what kustomize builds: kubectl kustomize ${folder} | ${command}`);
}

/** It was found but must not be read. The message says why. */
class UnreadableError extends Error {}

async function download(url: URL, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (isOpen(url)) {
    throw new UnreadableError("http:// lets anyone on the network change the manifest: use https://, or download it and check it first");
  }
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(URL_TIMEOUT_MS)]) });
  const wrong = !response.ok
    ? `the answer was ${response.status} ${response.statusText}`.trimEnd()
    : isOpen(new URL(response.url))
    ? `it redirects to ${response.url}, and http:// lets anyone on the network change the manifest`
    : undefined;
  if (wrong !== undefined) {
    await response.body?.cancel();
    throw new UnreadableError(wrong);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new UnreadableError(`it is longer than ${MAX_BYTES / 1024 / 1024} MiB`);
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Whether others on the network can read and change what is fetched from there. */
function isOpen({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !isLoopback(hostname.replace(/^\[|\]$/g, ""));
}

function describeFailure(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof DOMException && error.name === "TimeoutError") return `no answer within ${URL_TIMEOUT_MS / 1000} s`;
  return (error as Error).message;
}
