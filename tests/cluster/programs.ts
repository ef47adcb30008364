import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { isFile } from "./commands.ts";
import { type Go, goArchitecture, goBuild, goFetch } from "./go.ts";
import type { Progress } from "./progress.ts";
import { KUBERNETES_VERSIONS, type KubernetesVersion, USUAL_VARIANT } from "./variant.ts";

/** Builds that were not used for this long are removed when the same program is built again. */
const KEPT_MS = 14 * 24 * 3600 * 1000;

/** The prefix of files that are being built. */
const UNFINISHED = "unfinished-";

/** The programs of the test cluster, each a Go module below programs/. */
export type ProgramName = "onenode" | "kubernetes" | "coredns" | "toolbox" | "konnectivity";

const STRIPPED = "-s -w";

/** A program in the cache, built or not yet. */
export interface Program {
  readonly name: ProgramName;
  /** Where it lies once it is built. The name contains a hash of everything that it is built from. */
  readonly path: string;
  /** The arguments of `go build`. */
  readonly flags: readonly string[];
  /** For the progress. */
  readonly title: string;
}

/** The programs for the current sources. */
export async function programs(cache: string, go: Go, kubernetes: KubernetesVersion): Promise<Record<ProgramName, Program>> {
  const version = KUBERNETES_VERSIONS[kubernetes];
  const modules = modulesFolder(kubernetes);
  const flags: Record<ProgramName, readonly string[]> = {
    onenode: ["-ldflags", STRIPPED],
    toolbox: ["-ldflags", STRIPPED],
    konnectivity: ["-ldflags", STRIPPED],
    coredns: ["-tags", "grpcnotrace", "-ldflags", STRIPPED],
    // Without these tags the clients of three clouds and Docker are linked in.
    kubernetes: [
      ...modules ? [`-modfile=${modules}go.mod`] : [],
      ...["-tags", "providerless,dockerless,grpcnotrace", "-ldflags", `${STRIPPED} ${versionFlags(version)}`],
    ],
  };
  const named = await Promise.all((Object.keys(flags) as ProgramName[]).map(async (name): Promise<[ProgramName, Program]> => {
    const more = [go.version, goArchitecture(), ...flags[name]];
    const key = await sourceKey(sourceDirectory(name), name === "kubernetes" ? modules : "", more);
    const title = name === "kubernetes" ? `${name} ${version} (minutes, the first time)` : name;
    return [name, { name, path: `${cache}/${name}-${key}`, flags: flags[name], title }];
  }));
  return Object.fromEntries(named) as Record<ProgramName, Program>;
}

/** Where a version's go.mod and go.sum lie below programs/kubernetes: "" or a folder with a slash at its end. */
export function modulesFolder(kubernetes: KubernetesVersion): string {
  return kubernetes === USUAL_VARIANT.kubernetes ? "" : `${kubernetes}/`;
}

/** Builds a program unless it exists. The caller holds the lock. */
export async function buildProgram(program: Program, go: Go, progress: Progress): Promise<void> {
  if (await isFile(program.path)) {
    const now = new Date();
    return await Deno.utime(program.path, now, now);
  }
  const cache = program.path.slice(0, program.path.lastIndexOf("/"));
  await Deno.mkdir(cache, { recursive: true });
  // A unique name: the compiler of a killed up may still write to the old one.
  await removeUnfinished(cache);
  const unfinished = `${cache}/${UNFINISHED}${program.name}.${Deno.pid}`;
  await progress.during(
    `building ${program.title}`,
    (detail) => goBuild(go, sourceDirectory(program.name), program.flags, unfinished, detail),
  );
  await Deno.rename(unfinished, program.path);
  await removeUnused(cache, program.name);
}

/** Downloads the modules of a program that is not built yet, so that its build need not wait for them. */
export async function fetchModules(program: Program, go: Go, progress: Progress): Promise<void> {
  if (await isFile(program.path)) return;
  await progress.during(
    `downloading the modules of ${program.name}`,
    (detail) => goFetch(go, sourceDirectory(program.name), program.flags, detail),
  );
}

/** The newest build of a program, from whatever sources. */
export async function lastBuilt(cache: string, name: ProgramName): Promise<string | undefined> {
  let newest: { path: string; time: number } | undefined;
  try {
    for await (const entry of Deno.readDir(cache)) {
      // The toolbox's image archive lies next to it.
      if (!entry.name.startsWith(`${name}-`) || entry.name.includes(".")) continue;
      const path = `${cache}/${entry.name}`;
      const time = (await Deno.stat(path)).mtime?.getTime() ?? 0;
      if (!newest || time > newest.time) newest = { path, time };
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return newest?.path;
}

async function removeUnfinished(cache: string): Promise<void> {
  for await (const { name } of Deno.readDir(cache)) {
    if (name.startsWith(UNFINISHED)) await Deno.remove(`${cache}/${name}`);
  }
}

async function removeUnused(cache: string, name: ProgramName): Promise<void> {
  const limit = Date.now() - KEPT_MS;
  for await (const entry of Deno.readDir(cache)) {
    if (!entry.name.startsWith(`${name}-`)) continue;
    const path = `${cache}/${entry.name}`;
    const { mtime } = await Deno.stat(path);
    if (mtime && mtime.getTime() < limit) await Deno.remove(path);
  }
}

/** @param modules as {@link modulesFolder} */
async function sourceKey(directory: string, modules: string, more: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(more));
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (name.endsWith(".go")) names.push(name);
    else if (/^go\.(mod|sum)$/.test(name)) names.push(`${modules}${name}`);
  }
  for (const name of names.sort()) {
    const content = await Deno.readFile(`${directory}/${name}`);
    hash.update(JSON.stringify([name, content.length])).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

function sourceDirectory(name: ProgramName): string {
  return fileURLToPath(new URL(`./programs/${name}`, import.meta.url));
}

/** Kubernetes' programs learn their version from the linker. */
function versionFlags(version: string): string {
  const [major, minor] = version.split(".");
  const variable = "-X k8s.io/component-base/version.";
  return `${variable}gitVersion=v${version} ${variable}gitMajor=${major} ${variable}gitMinor=${minor}`;
}
