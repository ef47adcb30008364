/**
 * All objects of a session of either kind, and the digest that tells two plans apart. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { New, NewService } from "../../api/kubernetes_objects.ts";
import { controlTargetPort, serverDeployment, userService } from "./forward_objects.ts";
import { runPod } from "./run_objects.ts";
import { controlService, sessionJob, sessionSecret } from "./session_objects.ts";
import { Annotation, CONTROL_PORT, type ForwardPlan, isRun, type Owner, type SessionPlan, type SessionSecrets } from "./session_plan.ts";

/** The objects that a session's Job owns, in the order in which a start creates them. */
export interface OwnedObjects {
  /** The Service that callers use, if the session creates it. */
  readonly service?: NewService;
  readonly control: NewService;
  readonly secret: New;
  /** The Deployment or Pod that mounts the Secret. */
  readonly workload: New & { readonly kind: "Deployment" | "Pod" };
}

/** The objects that the session's Job owns. */
export function ownedObjects(plan: SessionPlan, owner: Owner, secrets: SessionSecrets): OwnedObjects {
  const secret = sessionSecret(plan, owner, secrets);
  if (isRun(plan)) {
    return { control: controlService(plan, owner, CONTROL_PORT), secret, workload: runPod(plan, owner).pod };
  }
  return {
    ...(plan.joined ? {} : { service: userService(plan, owner) }),
    control: controlService(plan, owner, controlTargetPort(plan)),
    secret,
    workload: serverDeployment(plan, owner),
  };
}

/** All objects of a session, owner first. */
export function sessionObjects(plan: SessionPlan, owner: Owner, secrets: SessionSecrets): New[] {
  const { service, control, secret, workload } = ownedObjects(plan, owner, secrets);
  return [sessionJob(plan), ...(service ? [service] : []), control, secret, workload];
}

/** Stands for the session's own name. */
const ANY_NAME = "any";
/** Hexadecimal digits of the digest. They tell plans apart; nobody gains anything from a collision. */
const DIGITS = 16;
const NO_SECRETS = { key: new Uint8Array(), cert: "", certKey: "" };

/**
 * A digest of everything that a plan determines: its objects without the session's name, secrets and annotations. Sessions with the same
 * digest differ only in whose they are, what they forward to and whether the server logs connections, so a start may resume any of them.
 */
export function planDigest(plan: SessionPlan): string {
  const objects = sessionObjects(
    { ...plan, name: ANY_NAME, annotations: {}, verbose: false },
    { name: ANY_NAME, uid: ANY_NAME },
    NO_SECRETS,
  );
  return digest(objects);
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(sorted(value))).digest("hex").slice(0, DIGITS);
}

/** A digest of each flag of a plan: a later start says which of them differ. */
function flagDigests({ ports, joined, tls, ...plan }: ForwardPlan): string {
  const flags: Readonly<Record<string, unknown>> = {
    "--servicename": [plan.service, joined],
    "--serviceport": ports.map(({ port }) => port),
    ...(joined ? {} : {
      "--pod-port": ports.map(({ targetPort }) => targetPort),
      "the URL's scheme": ports.map(({ name = "" }) => name.startsWith("http")),
    }),
    "--app-protocol": tls ? tls.alpn.includes("h2") : ports.some(({ appProtocol }) => appProtocol === "kubernetes.io/h2c"),
    "--tlssecret": tls?.secret,
    "--server-image": plan.image,
    "--image-pull-secret": plan.imagePullSecret,
    "--label": plan.podLabels ?? {},
    "--server-overrides": plan.podPatch,
    "--ttl": plan.ttlSeconds,
    "--hold": plan.holdMs,
    "--fallback": plan.fallback ?? "error",
  };
  return Object.entries(flags).map(([flag, value]) => `${flag}:${digest([value])}`).join();
}

/** The flags that differ between the annotations of two plans; none if one has no such annotation. */
export function differingFlags(theirs: string, mine: string): string[] {
  const known = theirs.split(",");
  return theirs === "" ? [] : mine.split(",").filter((flag) => !known.includes(flag)).map((flag) => flag.replace(/:.*/, ""));
}

/** The plan with annotations that say its Service, ports and digest. */
export function annotated(plan: ForwardPlan): ForwardPlan {
  return {
    ...plan,
    annotations: {
      ...plan.annotations,
      [Annotation.service]: plan.service,
      [Annotation.ports]: plan.ports.map(({ port }) => port).join(","),
      [Annotation.plan]: planDigest(plan),
      [Annotation.flags]: flagDigests(plan),
    },
  };
}

/** The same value with the keys of all objects sorted: a selector may come in any order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, inner]) => [key, sorted(inner)]));
}
