import { isAbsolute, resolve } from "node:path";
import type { ManifestProblem, SourcedObject } from "../../k8s/manifests/apply_plan.ts";
import { readObjects } from "../../k8s/manifests/manifest_objects.ts";
import { findReferences, type ManifestReference, resolveReferences } from "../../k8s/manifests/manifest_references.ts";
import { type ManifestText, type Place, readManifest } from "../../k8s/manifests/manifest_text.ts";
import type { Context } from "../command/context.ts";
import type { SourceReference } from "../images/build_errors.ts";
import type { Deliver } from "../images/deliver_images.ts";
import { describeProblem } from "../../k8s/manifests/manifest_error.ts";
import { type ManifestFile, readManifestFiles } from "../manifests/manifest_files.ts";

/** A manifest with its references. */
export interface LoadedManifest {
  readonly file: ManifestFile;
  readonly manifest: ManifestText;
  /** Their places are described with the field: `k8s/web.yaml:12:16: Deployment web, spec.replicas`. */
  readonly references: readonly (SourceReference & { readonly reference: ManifestReference })[];
}

/** All manifests and their problems. */
interface Loaded {
  readonly manifests: readonly LoadedManifest[];
  readonly problems: readonly ManifestProblem[];
  /** References whose source does not exist. They do not matter to commands that build nothing. */
  readonly missing: readonly ManifestProblem[];
}

/**
 * Reads and parses manifests, finds their references and checks that their sources exist, and warns about what is suspicious. Files that
 * cannot be read are among the problems.
 * @param names files, folders, URLs and `-`
 */
export async function openManifests(context: Context, names: readonly string[], recursive: boolean): Promise<Loaded> {
  const { files, problems } = await readManifestFiles({
    names,
    recursive,
    cwd: Deno.cwd(),
    stdin: async () => new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer()),
    command: "kurun apply -f -",
    signal: context.interrupted,
  });
  const missing: ManifestProblem[] = [];
  const manifests: LoadedManifest[] = [];
  for (const file of files) {
    const manifest = readManifest(file.text);
    const at = ({ line, column }: Place, what: string) => ({ file: file.name, line, column, what });
    const found = findReferences(manifest);
    problems.push(...[...manifest.problems, ...found.mistakes].map((problem) => at(problem, problem.what)));
    for (const warning of manifest.warnings) context.stderr(`Warning: ${describeProblem(at(warning, warning.what))}\n`);
    const references: LoadedManifest["references"][number][] = [];
    for (const reference of found.references) {
      const { path, wrong } = await locate(reference, file);
      if (wrong !== undefined) {
        missing.push(at(reference, wrong));
        continue;
      }
      const what = describeProblem(at(reference, describe(reference, manifest)));
      const pullAlways = reference.pullAlways && describeProblem(at(reference.pullAlways, "imagePullPolicy: Always"));
      references.push({ reference, path, what, pullAlways });
    }
    manifests.push({ file, manifest, references });
  }
  return { manifests, problems, missing };
}

/**
 * Builds and delivers every source once, and puts the images into the parsed manifests.
 * @returns whether there was any
 * @throws as {@linkcode Deliver} does
 */
export async function deliverReferences(manifests: readonly LoadedManifest[], deliver: Deliver): Promise<boolean> {
  const references = manifests.flatMap((manifest) => manifest.references);
  if (references.length === 0) return false;
  const images = await deliver(references);
  resolveReferences(references.map(({ reference }) => reference), references.map(({ path }) => images.get(path) as string));
  return true;
}

/** The objects of all manifests, with their present values. */
export function objectsOf(manifests: readonly LoadedManifest[]): { objects: SourcedObject[]; problems: ManifestProblem[] } {
  const objects: SourcedObject[] = [];
  const problems: ManifestProblem[] = [];
  for (const { file, manifest } of manifests) {
    const read = readObjects(manifest);
    objects.push(...read.objects.map((object) => ({ ...object, file: file.name })));
    problems.push(...read.problems.map((problem) => ({ ...problem, file: file.name })));
  }
  return { objects, problems };
}

async function locate({ path: given }: ManifestReference, { folder }: ManifestFile): Promise<{ path: string; wrong?: string }> {
  const wrong = (wrong: string) => ({ path: "", wrong });
  if (folder === undefined) {
    return wrong(`kurun://${given} refers to source on this machine, which a downloaded manifest may not choose: save it as a file first`);
  }
  const path = isAbsolute(given) ? given : resolve(folder, given);
  try {
    await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotADirectory)) throw error;
    return wrong(`kurun://${given}: there is no file or folder ${path}${await percentHint(path)}`);
  }
  return { path };
}

/** What to say if the path exists once it is percent-decoded. A reference is a path and not a URL, so nothing in it is decoded. */
async function percentHint(path: string): Promise<string> {
  if (!/%[0-9a-f]{2}/i.test(path)) return "";
  try {
    await Deno.stat(decodeURIComponent(path));
    return "; percent-encoding is not decoded: write the path as it is, spaces included";
  } catch {
    return "";
  }
}

/** `Deployment web, spec.template.spec.containers[0].image` */
function describe({ document, field }: ManifestReference, { documents }: ManifestText): string {
  const root = documents[document]?.document;
  const [kind, name] = [root?.getIn(["kind"]), root?.getIn(["metadata", "name"])];
  return typeof kind === "string" ? `${kind}${typeof name === "string" ? ` ${name}` : ""}, ${field}` : field;
}
