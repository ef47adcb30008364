import { Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { dropRuntimeRoots } from "../../k8s/api/trusted_roots.ts";
import { Annotation, type ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Transport } from "../../k8s/session/session_rights.ts";
import { checkTlsSecret } from "../../k8s/session/service/tls_secret.ts";
import { MAX_HOLD_MS } from "../../tunnel/mod.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDryRunFlags, dryRunFormat, dryRunText } from "../command/dry_run.ts";
import { checkServiceName, parseDuration, parsePort } from "../command/flag_values.ts";
import { forward } from "./forward.ts";
import { addPodFlags, podWishes } from "./pod_flags.ts";
import { FORWARD_SERVICE } from "../session/default_service.ts";
import { serverImage, serverImageOption } from "../session/server_image.ts";
import { sessionName } from "../session/start_session.ts";
import { transportOption } from "../session/transport_option.ts";
import {
  addTrafficFlags,
  type CallerSide,
  callerSide,
  checkFallback,
  requestRewrite,
  type TrafficFlags,
  trustUpstream,
} from "./traffic_flags.ts";
import { parseUpstream } from "./upstream_url.ts";

interface PortForwardOptions extends Record<string, unknown>, TrafficFlags {
  servicename: string;
  /** Where it was given: a Service that is there already has ports of its own. */
  serviceport?: string;
  serverImage?: string;
  podPort: string;
  ttl: string;
  hold: string;
  timeout: string;
  takeover?: boolean;
  transport: Transport;
}

/** `kurun port-forward URL` */
export function portForwardCommand(context: Context): Command {
  const command = new Command("port-forward")
    .summary("connect a Service in the cluster to a program on your machine")
    .description("Creates a Service in the cluster whose callers reach the program at URL on this machine, until Ctrl+C.")
    .argument("<url>", "the program: http://localhost:8080, localhost:8080 or 8080; also https://, tcp:// and tls:// (TLS passed through)")
    .option("--servicename <name>", "the Service to create, or an existing one without Pods", FORWARD_SERVICE)
    .option("--serviceport <port>", "the Service's port (default: 80, or all ports of an existing Service)")
    .addOption(serverImageOption())
    .option("--ttl <duration>", "how long the session outlives this command if it is killed; 0 keeps it forever", "2m")
    .option("--hold <duration>", "how long a request waits for kurun to reconnect before it gets a 503; at most 10m", "3s")
    .option("--timeout <duration>", "how long to wait until the Service can be called; 0 waits forever", "60s")
    .addOption(transportOption())
    .option("--takeover", "replace the session that uses the Service, yours or another user's")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDryRunFlags(addPodFlags(addTrafficFlags(command)))).action((
    url: string,
    options: PortForwardOptions,
  ) => portForward(context, url, options));
}

const EXAMPLES = `
Examples:
  # callers of http://kurun.default.svc/ in the cluster reach the program on localhost:8080
  kurun port-forward http://localhost:8080

  # with another Service name and port, in another namespace
  kurun port-forward 3000 --servicename api --serviceport 8000 -n dev

  # an admission webhook that has its own certificate; the callers' TLS passes through
  kurun port-forward tls://localhost:9443 --serviceport 443
`;

async function portForward(context: Context, url: string, options: PortForwardOptions): Promise<void> {
  const upstream = await trustUpstream(parseUpstream(url), options);
  const callers = callerSide(upstream, options);
  const rewrite = requestRewrite(upstream, options);
  checkFallback(upstream.scheme, options);
  const wishes = { ...planSession(context, upstream.url, callers, options), ...await podWishes(options) };
  const dryRun = dryRunFormat(options);
  // A flag that is wrong is found before anything is contacted.
  const timeoutMs = parseDuration("--timeout", options.timeout);
  dropRuntimeRoots();
  const [access, image] = await Promise.all([openCluster(context, options), serverImage(context, options.serverImage)]);
  const plan = { ...wishes, ...image, namespace: access.namespace };
  if (dryRun) return context.data(dryRunText(plan, dryRun));
  using api = new Api(access, { userAgent: "kurun" });
  if (plan.tls && "secret" in plan.tls) {
    const check = { name: plan.tls.secret, namespace: access.namespace, service: plan.service, now: context.date() };
    for (const warning of await checkTlsSecret(api, check, context.interrupted)) context.stderr(`Warning: ${warning}\n`);
  }
  await forward({
    context,
    access,
    api,
    plan,
    port: options.serviceport === undefined ? undefined : Number(options.serviceport),
    takeover: options.takeover ?? false,
    transport: options.transport,
    upstream,
    callerScheme: callers.scheme,
    rewrite,
    timeoutMs,
  });
}

function planSession(
  context: Context,
  url: string,
  callers: CallerSide,
  options: PortForwardOptions,
): Omit<ForwardPlan, "namespace" | "image"> {
  const { servicename: service } = options;
  checkServiceName(service);
  const port = parsePort("--serviceport", options.serviceport ?? "80");
  const targetPort = parsePort("--pod-port", options.podPort);
  return {
    name: sessionName(context, service),
    service,
    ports: [{ name: callers.scheme, ...(callers.appProtocol ? { appProtocol: callers.appProtocol } : {}), port, targetPort }],
    ...(callers.tls ? { tls: callers.tls } : {}),
    ttlSeconds: Math.ceil(parseDuration("--ttl", options.ttl) / 1000),
    holdMs: parseDuration("--hold", options.hold, MAX_HOLD_MS),
    fallback: options.fallback,
    verbose: options.verbose ?? false,
    annotations: {
      [Annotation.who]: context.who,
      [Annotation.from]: context.from,
      [Annotation.since]: context.date().toISOString(),
      [Annotation.upstream]: url,
    },
  };
}
