/**
 * Who owns which fields of an object (managedFields), and how what `kubectl apply` owned becomes a server-side applier's, as kubectl itself
 * does it (client-go's csaupgrade). Pure.
 *
 * @module
 */

/** An entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  readonly subresource?: string;
  readonly fieldsV1?: FieldSet;
  readonly [field: string]: unknown;
}

/** Fields as FieldsV1 has them: each key a step of a path; a set without steps is the field itself. */
export interface FieldSet {
  readonly [step: string]: FieldSet;
}

/** Where `kubectl apply` keeps what it applied last. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The managers of `kubectl apply` without `--server-side`: those that own its annotation. */
export function clientSideManagers(managedFields: readonly ManagedFieldsEntry[]): Set<string> {
  const owners = managedFields.filter(({ operation, subresource, fieldsV1 }) =>
    operation === "Update" && !subresource && fieldsV1?.["f:metadata"]?.["f:annotations"]?.[`f:${LAST_APPLIED}`] !== undefined
  );
  return new Set(owners.map(({ manager }) => manager ?? ""));
}

/**
 * The managed fields with those of `kubectl apply` given to `applier`; undefined where there are none.
 *
 * Without this a field that is dropped from the manifest would stay for ever, as kubectl's.
 */
export function withoutClientSideManagers(
  managedFields: readonly ManagedFieldsEntry[],
  applier: string,
): ManagedFieldsEntry[] | undefined {
  const managers = clientSideManagers(managedFields);
  if (managers.size === 0) return undefined;
  return [...managers].reduce<ManagedFieldsEntry[]>((entries, manager) => moved(entries, manager, applier), [...managedFields]);
}

function moved(entries: readonly ManagedFieldsEntry[], from: string, applier: string): ManagedFieldsEntry[] {
  const isOld = (entry: ManagedFieldsEntry) => entry.manager === from && entry.operation === "Update" && !entry.subresource;
  const isApplier = (entry: ManagedFieldsEntry) => entry.manager === applier && entry.operation === "Apply" && !entry.subresource;
  // The most recent one comes first.
  const target = entries.find(isApplier) ?? entries.find(isOld);
  if (!target) return [...entries];
  const old = entries.find((entry) => isOld(entry) && entry.apiVersion === target.apiVersion);
  const fieldsV1 = union(target.fieldsV1 ?? {}, old?.fieldsV1 ?? {});
  return entries
    .map((entry) => entry === target ? { ...entry, manager: applier, operation: "Apply", fieldsV1 } : entry)
    .filter((entry) => !isOld(entry));
}

/** All fields of both. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isField(a) && isField(b)) return {};
  // The field itself is a step called `.` where there are others.
  const [left, right] = [isField(a) ? SELF : a, isField(b) ? SELF : b];
  const steps: Record<string, FieldSet> = { ...left };
  for (const [step, inner] of Object.entries(right)) steps[step] = steps[step] === undefined ? inner : union(steps[step], inner);
  return steps;
}

const SELF: FieldSet = { ".": {} };

function isField(set: FieldSet): boolean {
  return Object.keys(set).length === 0;
}
