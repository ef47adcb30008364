import { Buffer } from "node:buffer";
import type { NewDeployment, NewSecret, NewService, PodSpec } from "../../api/kubernetes_objects.ts";
import { patchPod } from "./pod_overrides.ts";
import { serverArgs } from "../../images/server_command.ts";
import { metadata, podMetadata, serverMounts, serverPath, serverPod } from "./session_objects.ts";
import { CONTROL_PORT, type ForwardPlan, SESSION_LABEL } from "./session_plan.ts";

/** At most 190 MB in ordinary use; 1,024 hostile callers that send and never read made it 510 MB (tests/attack). */
export const RESOURCES = { requests: { cpu: "20m", memory: "96Mi" }, limits: { cpu: "2", memory: "640Mi" } };

/** The Service that callers in the cluster use, unless an existing one is joined. */
export function userService(plan: ForwardPlan, uid: string): NewService {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, plan.service, uid),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      ...(plan.early ? { publishNotReadyAddresses: true } : {}),
      ports: plan.ports.map(({ name, appProtocol, port, targetPort }) => ({
        name: name ?? `port-${port}`,
        ...(appProtocol === undefined ? {} : { appProtocol }),
        port,
        targetPort,
      })),
    },
  };
}

/** The certificate of a session's own that callers get, if there is one. */
export function tlsSecret(plan: ForwardPlan, uid: string): NewSecret[] {
  const { tls } = plan;
  if (!tls || "secret" in tls) return [];
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  const data = { "tls.crt": base64(tls.certPem), "tls.key": base64(tls.keyPem) };
  return [{ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata: metadata(plan, tlsSecretName(plan), uid), data }];
}

function tlsSecretName({ name }: ForwardPlan): string {
  return `${name}-tls`;
}

/** The selector of the Service that leads to the Pod; none if the session's EndpointSlices do. */
export function selectorOf({ joined, name }: ForwardPlan): Readonly<Record<string, string>> | undefined {
  if (!joined) return { [SESSION_LABEL]: name };
  return "selector" in joined ? joined.selector : undefined;
}

/** The Deployment of the server that forwards a Service's callers, with one Pod. */
export function serverDeployment(plan: ForwardPlan, uid: string): NewDeployment {
  const { labels, annotations } = podMetadata(plan);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(plan, plan.name, uid),
    spec: {
      replicas: 1,
      selector: { matchLabels: { [SESSION_LABEL]: plan.name } },
      template: {
        metadata: {
          // A joined Service's selector wins over kurun's labels, except for the one that the Deployment selects by.
          labels: { ...plan.podLabels, ...labels, ...selectorOf(plan), [SESSION_LABEL]: plan.name },
          annotations,
        },
        spec: patchPod(forwardPod(plan), plan.podPatch ?? {}),
      },
    },
  };
}

/** The Pod's control port: 8333, or the next number that the Service's ports leave free. */
export function controlTargetPort(plan: ForwardPlan): number {
  let port = CONTROL_PORT;
  while (plan.ports.some(({ targetPort }) => targetPort === port)) port++;
  return port;
}

function forwardPod(plan: ForwardPlan): PodSpec {
  const { pod, container } = serverPod(plan, "server", controlTargetPort(plan));
  const targetPorts = [...new Set(plan.ports.map(({ targetPort }) => targetPort))];
  const sysctls = [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }];
  return {
    ...pod,
    securityContext: { ...pod.securityContext, ...(targetPorts.some((port) => port < 1024) ? { sysctls } : {}) },
    automountServiceAccountToken: false,
    volumes: [
      ...pod.volumes,
      ...(plan.tls ? [{ name: "tls", secret: { secretName: "secret" in plan.tls ? plan.tls.secret : tlsSecretName(plan) } }] : []),
    ],
    containers: [{
      ...container,
      args: [
        ...serverArgs(serverPath(plan)),
        ...container.args,
        ...targetPorts.map((port) => `--request-port=${port}`),
        ...plan.ports.map(({ port }) => `--service=${plan.service}.${plan.namespace}.svc:${port}`),
        `--hold-ms=${plan.holdMs}`,
        ...(plan.fallback === "allow" ? ["--fallback=allow"] : []),
        ...(plan.tls ? ["--tls-dir=/kurun/tls", ...plan.tls.alpn.map((protocol) => `--alpn=${protocol}`)] : []),
        ...(plan.verbose ? ["--verbose"] : []),
      ],
      ports: [...container.ports, ...containerPorts(plan, targetPorts)],
      resources: plan.resources ?? RESOURCES,
      volumeMounts: [
        ...container.volumeMounts,
        ...serverMounts(plan),
        ...(plan.tls ? [{ name: "tls", mountPath: "/kurun/tls", readOnly: true }] : []),
      ],
    }],
  };
}

/** Named if the Service refers to them by name. One number may have two names. */
function containerPorts(plan: ForwardPlan, targetPorts: readonly number[]): { name?: string; containerPort: number }[] {
  const named = new Map(plan.ports.flatMap(({ targetName, targetPort }) => targetName ? [[targetName, targetPort] as const] : []));
  return [
    ...[...named].map(([name, containerPort]) => ({ name, containerPort })),
    ...targetPorts.filter((port) => ![...named.values()].includes(port)).map((containerPort) => ({ containerPort })),
  ];
}
