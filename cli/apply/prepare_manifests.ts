import type { Api } from "../../k8s/api/api.ts";
import {
  duplicateObjects,
  type ManifestProblem,
  type NamespaceChoice,
  type PlannedObject,
  planObjects,
  type SourcedObject,
} from "../../k8s/manifests/apply_plan.ts";
import { type ApiResources, discover } from "../../k8s/manifests/discovery.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { type LoadedManifest, objectsOf } from "./load_manifests.ts";
import { openManifests, refuse } from "./manifest_flags.ts";
import type { ManifestFile } from "./manifest_files.ts";

/** What {@link prepareManifests} works with. */
export interface PrepareOptions {
  readonly context: Context;
  readonly api: Api;
  /** Files, folders, URLs and `-`. */
  readonly names: readonly string[];
  /** The command line's. */
  readonly options: Record<string, unknown>;
  readonly namespace: NamespaceChoice;
}

/** Manifests with which nothing is wrong, as far as it can be known before anything is built. */
export interface PreparedManifests {
  readonly files: readonly ManifestFile[];
  readonly manifests: readonly LoadedManifest[];
  /** References are still in them. */
  readonly planned: readonly PlannedObject[];
  /** The cluster's kinds, and those that the manifests define. */
  readonly resources: ApiResources;
}

/**
 * Reads manifests and finds each object's place in the cluster.
 *
 * @throws ManifestError with all that is wrong, or what the cluster says
 */
export async function prepareManifests({ context, api, names, options, namespace }: PrepareOptions): Promise<PreparedManifests> {
  const { files, manifests, problems, missing } = await openManifests(context, names, options);
  const read = objectsOf(manifests);
  const wrong = [...problems, ...missing, ...read.problems, ...duplicateObjects(read.objects, namespace.namespace)];
  if (read.objects.length === 0) {
    refuse(wrong, files);
    throw new UserError("there are no objects in these manifests", ExitCode.usage);
  }
  const resources = await discover(api, context.interrupted).catch((error) => {
    // What is known without the cluster is told without it.
    refuse(wrong, files);
    throw error;
  });
  const { planned, problems: misplaced, known } = planObjects(read.objects, resources, namespace);
  refuse([...wrong, ...misplaced], files);
  return { files, manifests, planned, resources: known };
}

/** The plan anew, after references were replaced in the manifests: the same objects with other values. */
export function planAgain({ manifests, resources, files }: PreparedManifests, namespace: NamespaceChoice): readonly PlannedObject[] {
  const { objects, problems }: { objects: SourcedObject[]; problems: ManifestProblem[] } = objectsOf(manifests);
  const again = planObjects(objects, resources, namespace);
  // A reference may have been a name or a namespace, which an image cannot be.
  refuse([...problems, ...again.problems], files);
  return again.planned;
}
