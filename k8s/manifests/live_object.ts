import type { ManagedFieldsEntry } from "./field_ownership.ts";
import type { ObjectBody } from "./manifest_objects.ts";

/** An object that the API server returned. */
export interface LiveObject extends ObjectBody {
  apiVersion: string;
  kind: string;
  metadata: ObjectBody["metadata"] & {
    uid: string;
    resourceVersion: string;
    generation?: number;
    deletionTimestamp?: string;
    managedFields?: ManagedFieldsEntry[];
    annotations?: Record<string, string>;
  };
}
