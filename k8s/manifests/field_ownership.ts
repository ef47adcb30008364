/**
 * Who owns which fields of an object (managedFields), and how a server-side applier takes over what `kubectl apply` owned, as kubectl itself
 * does it (client-go's csaupgrade). Pure.
 */

import type { Live, ManagedFields } from "../api/kubernetes_objects.ts";

/** An entry of `metadata.managedFields`. */
export type ManagedFieldsEntry = Omit<ManagedFields, "fieldsV1"> & { readonly fieldsV1?: FieldSet };

/** An object that the API server returned. */
export type LiveObject = Record<string, unknown> & {
  readonly metadata: Omit<Live["metadata"], "managedFields"> & { readonly managedFields?: readonly ManagedFieldsEntry[] };
};

/** Fields as FieldsV1 has them: each key is a step of a path; a set without steps is the field itself. */
export interface FieldSet {
  readonly [step: string]: FieldSet;
}

/** The annotation in which `kubectl apply` keeps the last manifest. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The manager of `kubectl apply --server-side`, unless the user names another. */
const SERVER_SIDE = "kubectl";
/** The manager of `kubectl create`. */
export const CREATE_MANAGER = "kubectl-create";

/** Whether `kubectl apply` made an entry: it owns kubectl's annotation, or its manager is that of `kubectl apply --server-side`. */
export function isPredecessor({ manager, operation, subresource, fieldsV1 }: ManagedFieldsEntry, applier: string): boolean {
  if (subresource) return false;
  if (operation === "Apply") return manager === SERVER_SIDE && applier !== SERVER_SIDE;
  return fieldsV1?.["f:metadata"]?.["f:annotations"]?.[`f:${LAST_APPLIED}`] !== undefined;
}

/** Whether `kubectl apply` or `kubectl create` made an entry: conflicts with its manager do not count. */
export function isKubectl(entry: ManagedFieldsEntry, applier: string): boolean {
  const { manager, operation, subresource } = entry;
  return isPredecessor(entry, applier) || manager === CREATE_MANAGER && operation === "Update" && !subresource;
}

/** Undoes {@linkcode moveFields} of {@linkcode isKubectl}, and keeps what others have changed meanwhile. */
export function withKubectlAgain(
  managedFields: readonly ManagedFieldsEntry[],
  before: readonly ManagedFieldsEntry[],
  applier: string,
): ManagedFieldsEntry[] {
  const isMoved = (entry: ManagedFieldsEntry) => isApplier(entry, applier) || isKubectl(entry, applier);
  return [...managedFields.filter((entry) => !isMoved(entry)), ...before.filter(isMoved)];
}

/** Whether an entry holds what the applier itself applied. */
export function isApplier({ manager, operation, subresource }: ManagedFieldsEntry, applier: string): boolean {
  return manager === applier && operation === "Apply" && !subresource;
}

/**
 * The managed fields after the applier took over the old entries; undefined if there are none. Without this, a field that is removed from
 * the manifest would stay forever, owned by kubectl.
 */
export function moveFields(
  entries: readonly ManagedFieldsEntry[],
  isOld: typeof isKubectl,
  applier: string,
): ManagedFieldsEntry[] | undefined {
  const old = entries.filter((entry) => isOld(entry, applier));
  // The most recent entry comes first.
  const target = entries.find((entry) => isApplier(entry, applier)) ?? old[0];
  if (old.length === 0 || !target) return undefined;
  const fieldsV1 = old
    .filter(({ apiVersion }) => apiVersion === target.apiVersion)
    .reduce((fields, entry) => union(fields, entry.fieldsV1 ?? {}), target.fieldsV1 ?? {});
  return entries
    .filter((entry) => entry === target || !old.includes(entry))
    .map((entry) => entry === target ? { ...entry, manager: applier, operation: "Apply", fieldsV1 } : entry);
}

/** The union of two field sets. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  const [first, second] = [a, b].map((set) => Object.keys(set).length === 0);
  if (first && second) return {};
  // In a set with other steps, the step `.` is the field itself.
  const [left, right] = [first ? SELF : a, second ? SELF : b];
  const steps: Record<string, FieldSet> = { ...left };
  for (const [step, inner] of Object.entries(right)) steps[step] = steps[step] === undefined ? inner : union(steps[step], inner);
  return steps;
}

const SELF: FieldSet = { ".": {} };
