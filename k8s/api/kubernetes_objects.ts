// Only types are imported: nothing of that package is loaded at run time.
import type * as models from "@kubernetes/client-node/models";

/** A type of client-node, which describes decoded objects, as the JSON that travels: dates are ISO 8601 text, and nothing may be changed. */
type Wire<T> = T extends Date ? string
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
export type New<T = unknown, Kind extends string = string> = Wire<T> & {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: Metadata & { readonly name: string };
};

/** What the API server sends for each kind that kurun reads. */
export type Job = Live<models.V1Job>;
export type Pod = Live<models.V1Pod>;
export type Service = Live<models.V1Service>;
export type Secret = Live<models.V1Secret>;
export type Node = Live<models.V1Node>;
export type Namespace = Live<models.V1Namespace>;
export type MutatingWebhooks = Live<models.V1MutatingWebhookConfiguration>;
export type ValidatingWebhooks = Live<models.V1ValidatingWebhookConfiguration>;
export type Definition = Live<models.V1CustomResourceDefinition>;
export type ClusterEvent = Live<models.CoreV1Event>;
export type EndpointSlice = Live<models.V1EndpointSlice>;
export type LimitRange = Live<models.V1LimitRange>;
export type ResourceQuota = Live<models.V1ResourceQuota>;
export type Deployment = Live<models.V1Deployment>;
export type StatefulSet = Live<models.V1StatefulSet>;
export type DaemonSet = Live<models.V1DaemonSet>;
/** An object that runs Pods, or a Pod itself. */
export type Workload = Deployment | StatefulSet | DaemonSet | Job | Pod;

/** Objects to be sent, of each kind that kurun creates. */
export type NewJob = New<models.V1Job, "Job">;
export type NewConfigMap = New<models.V1ConfigMap, "ConfigMap">;
export type NewSecret = New<models.V1Secret, "Secret">;
export type NewService = New<models.V1Service, "Service">;
export type NewDeployment = New<models.V1Deployment, "Deployment">;
export type NewEndpointSlice = New<models.V1EndpointSlice, "EndpointSlice">;
export type NewPod = New<models.V1Pod, "Pod">;
export type NewRole = New<models.V1Role, "Role">;
export type NewRoleBinding = New<models.V1RoleBinding, "RoleBinding">;

/** The fields that the conditions of all kinds have. */
export type Condition = Wire<models.V1DeploymentCondition>;
/** Other parts of objects. */
export type DefinitionSpec = Wire<models.V1CustomResourceDefinitionSpec>;
export type ContainerState = Wire<models.V1ContainerState>;
export type ServicePort = Wire<models.V1ServicePort>;
export type Endpoint = Wire<models.V1Endpoint>;
export type Container = Wire<models.V1Container>;
export type LimitRangeItem = Wire<models.V1LimitRangeItem>;
export type PodSpec = Wire<models.V1PodSpec>;
export type GroupList = Wire<models.V1APIGroupList>;
export type ResourceList = Wire<models.V1APIResourceList>;
export type ManagedFields = Wire<models.V1ManagedFieldsEntry>;
export type Status = Wire<models.V1Status>;
export type StatusDetails = Wire<models.V1StatusDetails>;
export type SubjectReview = Wire<models.V1SelfSubjectReview>;
export type AccessReview = Wire<models.V1SelfSubjectAccessReview>;
export type RulesReview = Wire<models.V1SelfSubjectRulesReview>;
export type ResourceRule = Wire<models.V1ResourceRule>;
