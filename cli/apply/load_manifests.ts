import { isAbsolute, resolve } from "node:path";
import type { ManifestProblem, SourcedObject } from "../../k8s/manifests/apply_plan.ts";
import { readObjects } from "../../k8s/manifests/manifest_objects.ts";
import { findReferences, type ManifestReference, resolveReferences } from "../../k8s/manifests/manifest_references.ts";
import { type ManifestText, type Place, readManifest } from "../../k8s/manifests/manifest_text.ts";
import type { Deliver } from "../images/deliver_images.ts";
import { describeProblem } from "./manifest_error.ts";
import type { ManifestFile } from "./manifest_files.ts";

/** A manifest with its references. */
export interface LoadedManifest {
  readonly file: ManifestFile;
  readonly manifest: ManifestText;
  readonly references: readonly LoadedReference[];
}

/** A reference and the source on this machine that it leads to. */
export interface LoadedReference {
  readonly reference: ManifestReference;
  /** Absolute. */
  readonly path: string;
  /** Place and field, for messages: `k8s/web.yaml:12:16: Deployment web, spec.replicas`. */
  readonly what: string;
  /** Where its container says `imagePullPolicy: Always`. */
  readonly pullAlways?: string;
}

/** All manifests, their problems, and what is suspicious in them. */
export interface Loaded {
  readonly manifests: readonly LoadedManifest[];
  readonly problems: readonly ManifestProblem[];
  /** References whose source does not exist. They do not matter to commands that build nothing. */
  readonly missing: readonly ManifestProblem[];
  readonly warnings: readonly ManifestProblem[];
}

/** Parses manifests, finds their references and checks that their sources exist. */
export async function loadManifests(files: readonly ManifestFile[]): Promise<Loaded> {
  const problems: ManifestProblem[] = [];
  const missing: ManifestProblem[] = [];
  const warnings: ManifestProblem[] = [];
  const manifests: LoadedManifest[] = [];
  for (const file of files) {
    const manifest = readManifest(file.text);
    const at = ({ line, column }: Place, what: string) => ({ file: file.name, line, column, what });
    const found = findReferences(manifest);
    problems.push(...[...manifest.problems, ...found.mistakes].map((problem) => at(problem, problem.what)));
    warnings.push(...manifest.warnings.map((warning) => at(warning, warning.what)));
    const references: LoadedReference[] = [];
    for (const reference of found.references) {
      const { path, wrong } = await locate(reference, file);
      if (wrong !== undefined) {
        missing.push(at(reference, wrong));
        continue;
      }
      const what = describeProblem(at(reference, describe(reference, manifest)));
      const { pullAlways } = reference;
      references.push({
        reference,
        path,
        what,
        ...pullAlways && { pullAlways: describeProblem(at(pullAlways, "imagePullPolicy: Always")) },
      });
    }
    manifests.push({ file, manifest, references });
  }
  return { manifests, problems, missing, warnings };
}

/** Builds and delivers every source once, and puts the images into the parsed manifests. @throws as {@linkcode Deliver} does */
export async function deliverReferences(manifests: readonly LoadedManifest[], deliver: Deliver): Promise<ReadonlyMap<string, string>> {
  const references = manifests.flatMap((manifest) => manifest.references);
  if (references.length === 0) return new Map();
  const images = await deliver(references);
  resolveReferences(references.map(({ reference }) => reference), references.map(({ path }) => imageOf(images, path)));
  return images;
}

/** The image that was built from a source. @throws if there is none, which is a bug */
export function imageOf(images: ReadonlyMap<string, string>, path: string): string {
  const image = images.get(path);
  if (image === undefined) throw new Error(`no image was built from ${path}`);
  return image;
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
