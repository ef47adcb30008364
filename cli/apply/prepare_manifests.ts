import type { Api } from "../../k8s/api/api.ts";
import { duplicateObjects, type NamespaceChoice, type PlannedObject, planObjects } from "../../k8s/manifests/apply_plan.ts";
import { type ApiResources, discover } from "../../k8s/manifests/discovery.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import type { Deliver } from "../images/deliver_images.ts";
import type { ApplyFlags } from "./apply_flags.ts";
import { type LoadedManifest, objectsOf, openManifests } from "./load_manifests.ts";
import { refuse } from "../../k8s/manifests/manifest_error.ts";

/** What `kurun apply` works with. */
export interface ApplyRun {
  readonly context: Context;
  readonly api: Api;
  /** Files, folders, URLs and `-`. */
  readonly names: readonly string[];
  /** Whether to read folders within folders too. */
  readonly recursive: boolean;
  readonly flags: ApplyFlags;
  readonly namespace: NamespaceChoice;
  readonly deliver: Deliver;
}

/** Manifests that passed all checks possible before anything is built. */
export interface PreparedManifests {
  readonly manifests: readonly LoadedManifest[];
  /** They still contain references. */
  readonly planned: readonly PlannedObject[];
  /** The kinds of the cluster and those that the manifests define. */
  readonly resources: ApiResources;
}

/** Reads manifests and finds each object's place in the cluster. @throws ManifestError with all problems, or an error of the cluster */
export async function prepareManifests({ context, api, names, recursive, namespace }: ApplyRun): Promise<PreparedManifests> {
  const { manifests, problems, missing } = await openManifests(context, names, recursive);
  const read = objectsOf(manifests);
  const wrong = [...problems, ...missing, ...read.problems, ...duplicateObjects(read.objects, namespace.namespace)];
  if (read.objects.length === 0) {
    refuse(wrong, manifests);
    throw new UserError("these manifests contain no objects", ExitCode.usage);
  }
  const resources = await discover(api, context.interrupted).catch((error) => {
    // Report problems that need no cluster even if it is unreachable.
    refuse(wrong, manifests);
    throw error;
  });
  const { planned, problems: misplaced, known } = planObjects(read.objects, resources, namespace);
  refuse([...wrong, ...misplaced], manifests);
  return { manifests, planned, resources: known };
}

/** Plans again after references were replaced in the manifests: the same objects with other values. */
export function planAgain({ manifests, resources }: PreparedManifests, namespace: NamespaceChoice): readonly PlannedObject[] {
  const { objects, problems } = objectsOf(manifests);
  const again = planObjects(objects, resources, namespace);
  // A reference may have been used as a name or namespace, which an image cannot be.
  refuse([...problems, ...again.problems], manifests);
  return again.planned;
}
