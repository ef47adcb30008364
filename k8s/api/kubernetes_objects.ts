/**
 * The types of Kubernetes objects, taken from `@kubernetes/client-node`, which has one for every object of the API.
 * Only types are imported, so nothing of that package is loaded at run time.
 *
 * @module
 */

import type * as models from "@kubernetes/client-node/models";

/** A type of client-node, which describes decoded objects, as the JSON that travels: dates are ISO 8601 text, and nothing may be changed. */
export type Wire<T> = T extends Date ? string
  : T extends readonly (infer U)[] ? readonly Wire<U>[]
  : T extends object ? { readonly [K in keyof T]: Wire<T[K]> }
  : T;

/** An object's metadata. */
export type Metadata = Wire<models.V1ObjectMeta>;
/** The metadata of an object that is in the cluster: the API server always sets these fields. */
export type LiveMetadata = Metadata & { readonly name: string; readonly uid: string };

/** An object that is in the cluster. */
export type Live<T = unknown> = Wire<T> & { readonly metadata: LiveMetadata };
/** An object to be sent to the API server. */
export type New<T = unknown> = Wire<T> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata & { readonly name: string };
};

/** What the API server sends for each kind that kurun reads. */
export type Job = Live<models.V1Job>;
export type Pod = Live<models.V1Pod>;
export type Service = Live<models.V1Service>;
export type Secret = Live<models.V1Secret>;
export type Node = Live<models.V1Node>;
export type ClusterEvent = Live<models.CoreV1Event>;
export type EndpointSlice = Live<models.V1EndpointSlice>;
/** A kind with a rollout, or any other that has Pods. */
export type Workload = Live<models.V1Deployment | models.V1StatefulSet | models.V1DaemonSet | models.V1Job | models.V1Pod>;

/** Parts of objects. */
export type Condition = Wire<models.V1Condition>;
export type ContainerStatus = Wire<models.V1ContainerStatus>;
export type ServicePort = Wire<models.V1ServicePort>;
export type Endpoint = Wire<models.V1Endpoint>;
export type PodSpec = Wire<models.V1PodSpec>;
export type Status = Wire<models.V1Status>;
export type StatusDetails = Wire<models.V1StatusDetails>;
export type AccessReview = Wire<models.V1SelfSubjectAccessReview>;
