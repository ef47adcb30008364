import type { WaitReason } from "../../k8s/workloads/pod_status.ts";
import { isServerImage } from "../../k8s/images/server_image_name.ts";
import { SESSION_LABEL } from "../../k8s/session/objects/session_plan.ts";
import { VERSION } from "../command/version.ts";

/** What a session's Pod waits for, and what to do about it if that is known. @param serverImage the image of kurun's Pod */
export function describeWait(wait: WaitReason, serverImage: string): string {
  const { reason, message } = wait;
  const hint = whatToDo(wait, serverImage);
  const text = message === "" ? reason : message.startsWith(reason) ? message : `${reason}: ${message}`;
  return `${text}${hint ? `\n  ${hint}` : ""}`;
}

function whatToDo({ kind, message, image }: WaitReason, serverImage: string): string | undefined {
  if (kind === "image") return image === serverImage ? missingServerImage(image) : undefined;
  if (kind !== "admission") return undefined;
  if (/exceeded quota/.test(message)) return "Free some of the namespace's quota, or choose another namespace with -n.";
  if (/PriorityClass|match these scopes/.test(message)) {
    return `Choose a priority class: --server-overrides '{"priorityClassName": "NAME"}'.`;
  }
  if (isAboutResources(message)) {
    return `Set what the namespace allows: --server-overrides '{"resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}}'.`;
  }
  if (/violates PodSecurity/.test(message)) {
    return "kurun's own Pod passes Pod Security restricted: check what overrides or webhooks changed in it.";
  }
  // A webhook's refusal may have any text, and the name goes into a command to copy.
  const webhook = /failed calling webhook "([\w.-]+)"/.exec(message)?.[1];
  return webhook && failingWebhook(webhook);
}

/** Whether the cluster refuses a Pod for what it requests or is limited to: by a LimitRange or a quota. */
export function isAboutResources(message: string): boolean {
  return /(minimum|maximum) \S+ usage per|limit to request ratio|failed quota: .*must specify/.test(message);
}

function missingServerImage(image: string): string {
  if (isServerImage(image, VERSION)) {
    return "Write this image with `kurun image`, and load it onto the nodes (kind load image-archive, ctr images import) or push it to a registry.";
  }
  return `Copy ${image} to a registry that the nodes can pull from, and name the copy with --server-image or KURUN_SERVER_IMAGE. ` +
    "Without a registry, use what `kurun image` writes (see kurun image --help).";
}

/** What to do about a webhook that matches kurun's own objects and does not answer: commands and YAML to copy. */
export function failingWebhook(name: string): string {
  return `The webhook ${name} matches kurun's own objects and does not answer. Find and delete its configuration, then retry:
    kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o custom-columns=KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name | grep ${name}
    kubectl delete KIND NAME
  To prevent this, add to the webhook in its configuration:
    objectSelector: {matchExpressions: [{key: ${SESSION_LABEL}, operator: DoesNotExist}]}`;
}
