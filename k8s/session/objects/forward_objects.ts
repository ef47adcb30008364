/**
 * The objects of a session that forwards a Service's callers. Pure: a plan in, objects out.
 *
 * @module
 */

import type { NewDeployment, NewService, PodSpec } from "../../api/kubernetes_objects.ts";
import { patchPod } from "./pod_overrides.ts";
import { labels, metadata, NO_MESH, podSecurity, serverContainer } from "./session_objects.ts";
import { CONTROL_PORT, type ForwardPlan, type Owner, SESSION_LABEL } from "./session_plan.ts";

/** The Service that callers in the cluster use, unless an existing one is joined. */
export function userService(plan: ForwardPlan, owner: Owner): NewService {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, plan.service, owner),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      ports: plan.ports.map(({ name, appProtocol, port, targetPort }) => ({
        name: name ?? `port-${port}`,
        ...(appProtocol === undefined ? {} : { appProtocol }),
        port,
        targetPort,
      })),
    },
  };
}

/** The server's Deployment, with one Pod. */
export function serverDeployment(plan: ForwardPlan, owner: Owner): NewDeployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(plan, plan.name, owner),
    spec: {
      replicas: 1,
      selector: { matchLabels: { [SESSION_LABEL]: plan.name } },
      template: {
        metadata: { labels: podLabels(plan), annotations: { ...NO_MESH.annotations } },
        spec: patchPod(serverPod(plan), plan.podPatch ?? {}),
      },
    },
  };
}

/** The labels of the server's Pod. A joined Service's selector wins over kurun's labels, except for the one that the Deployment selects by. */
function podLabels(plan: ForwardPlan): Record<string, string> {
  return { ...plan.podLabels, ...labels(plan), ...NO_MESH.labels, ...plan.joined?.selector, [SESSION_LABEL]: plan.name };
}

/** The Pod's control port: 8333, or the next number that the Service's ports leave free. */
export function controlTargetPort(plan: ForwardPlan): number {
  let port = CONTROL_PORT;
  while (plan.ports.some(({ targetPort }) => targetPort === port)) port++;
  return port;
}

function serverPod(plan: ForwardPlan): PodSpec {
  const unprivileged = plan.ports.every(({ targetPort }) => targetPort >= 1024);
  return {
    securityContext: podSecurity(unprivileged ? {} : { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(plan.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: plan.imagePullSecret }] }),
    volumes: [
      { name: "session", secret: { secretName: plan.name } },
      ...(plan.tls ? [{ name: "tls", secret: { secretName: plan.tls.secret } }] : []),
    ],
    containers: [{
      name: "server",
      image: plan.image,
      ...serverContainer(controlTargetPort(plan)),
      args: [
        `--session=${plan.name}`,
        "--instance=$(POD_NAME)",
        `--control-port=${controlTargetPort(plan)}`,
        ...targetPorts(plan).map((port) => `--request-port=${port}`),
        ...plan.ports.map(({ port }) => `--service=${plan.service}.${plan.namespace}.svc:${port}`),
        `--hold-ms=${plan.holdMs}`,
        ...(plan.fallback === "allow" ? ["--fallback=allow"] : []),
        "--secret-dir=/kurun/session",
        ...(plan.tls ? ["--tls-dir=/kurun/tls", ...plan.tls.alpn.map((protocol) => `--alpn=${protocol}`)] : []),
        ...(plan.verbose ? ["--verbose"] : []),
      ],
      env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      ports: [{ name: "kurun-control", containerPort: controlTargetPort(plan) }, ...containerPorts(plan)],
      // At most 190 MB in ordinary use; 1,024 hostile callers that send and never read made it 510 MB (tests/attack).
      resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { cpu: "2", memory: "640Mi" } },
      volumeMounts: [
        { name: "session", mountPath: "/kurun/session", readOnly: true },
        ...(plan.tls ? [{ name: "tls", mountPath: "/kurun/tls", readOnly: true }] : []),
      ],
    }],
  };
}

/** The Pod's ports that the Service's ports lead to, each once. */
function targetPorts(plan: ForwardPlan): number[] {
  return [...new Set(plan.ports.map(({ targetPort }) => targetPort))];
}

/** Named if the Service refers to them by name. One number may have two names. */
function containerPorts(plan: ForwardPlan): { name?: string; containerPort: number }[] {
  const named = new Map(plan.ports.flatMap(({ targetName, targetPort }) => targetName ? [[targetName, targetPort] as const] : []));
  const numbered = targetPorts(plan).filter((port) => ![...named.values()].includes(port));
  return [
    ...[...named].map(([name, containerPort]) => ({ name, containerPort })),
    ...numbered.map((containerPort) => ({ containerPort })),
  ];
}
