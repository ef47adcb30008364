import type { Command } from "commander";
import { checkPodPatch, type PodPatch } from "../../k8s/session/objects/pod_overrides.ts";
import { type ForwardPlan, SESSION_LABEL } from "../../k8s/session/objects/session_plan.ts";
import { collect } from "../command/cluster_flags.ts";
import { usageError } from "../command/errors.ts";
import { checkSecretName, OBJECT_NAME, readPatchFlag } from "../command/flag_values.ts";

/** A label's name without its prefix, or its value (Kubernetes "Labels and Selectors": Syntax and character set). */
const LABEL_WORD = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_RULE = "has at most 63 letters, digits, -, _ and ., and starts and ends with a letter or digit";
/**
 * Labels that kurun finds its Pod by or that keep the Pod out of a mesh, where the API server could not reach it, and the one that the
 * Deployment controller silently overwrites.
 */
const OWN_LABELS = [SESSION_LABEL, "app.kubernetes.io/managed-by", "sidecar.istio.io/inject", "pod-template-hash"];

/** Adds the flags that change the session's Pod. */
export function addPodFlags(command: Command): Command {
  return command
    .option("-l, --label <key=value>", "a label for kurun's Pod; can be repeated", collect)
    .option("--pod-port <port>", "the port of the Pod that the Service targets", "8444")
    .option("--image-pull-secret <name>", "the Secret for pulling the image")
    .option(
      "--server-overrides <json|yaml|@file>",
      "changes to the Pod: nodeSelector, tolerations, resources and similar fields",
    );
}

/** Reads the flags of {@link addPodFlags}. @throws UserError naming the flag and the rule */
export async function podWishes(
  options: Record<string, unknown>,
): Promise<Pick<ForwardPlan, "podLabels" | "imagePullSecret" | "podPatch">> {
  const { imagePullSecret, serverOverrides } = options as Record<string, string | undefined>;
  if (imagePullSecret !== undefined) checkSecretName("--image-pull-secret", imagePullSecret);
  return {
    podLabels: parseLabels((options.label ?? []) as string[]),
    ...(imagePullSecret === undefined ? {} : { imagePullSecret }),
    ...(serverOverrides === undefined ? {} : { podPatch: await parseOverrides(serverOverrides) }),
  };
}

/** Reads labels of the form `key=value`. @throws UserError naming the rule */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const text of texts) {
    const wrong = (rule: string) => usageError(`--label ${JSON.stringify(text)} is not a valid label: ${rule}`);
    const at = text.indexOf("=");
    if (at < 0) throw wrong("write key=value");
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    const slash = key.lastIndexOf("/");
    if (slash >= 0 && !OBJECT_NAME.test(key.slice(0, slash))) throw wrong("the part before / must be a lower-case DNS name");
    if (!LABEL_WORD.test(key.slice(slash + 1))) throw wrong(`a key ${LABEL_RULE}`);
    // Kubernetes allows empty values. On a command line, an empty value is an unset shell variable.
    if (value === "") throw wrong("its value is empty");
    if (!LABEL_WORD.test(value)) throw wrong(`a value ${LABEL_RULE}`);
    if (OWN_LABELS.includes(key)) throw wrong(`kurun or the cluster sets ${key}`);
    if (labels[key] !== undefined && labels[key] !== value) throw wrong(`${key} is already set to ${labels[key]}`);
    labels[key] = value;
  }
  return labels;
}

async function parseOverrides(text: string): Promise<PodPatch> {
  const patch = await readPatchFlag("--server-overrides", text);
  try {
    checkPodPatch(patch);
    return patch;
  } catch (cause) {
    throw usageError(`--server-overrides: ${(cause as Error).message}`, { cause });
  }
}
