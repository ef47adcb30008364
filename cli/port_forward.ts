import { Command } from "commander";
import { Api } from "../k8s/api.ts";
import { selfSignedServerCertificate } from "../k8s/certificate.ts";
import { loadClusterAccess } from "../k8s/kubeconfig.ts";
import { ClusterSession } from "../k8s/session.ts";
import { Annotation, controlServiceName, type SessionPlan } from "../k8s/session_objects.ts";
import { KEY_BYTES } from "../tunnel/mod.ts";
import { addClusterFlags, clusterFlags } from "./cluster_flags.ts";
import type { Context } from "./context.ts";
import { parseDuration } from "./duration.ts";
import { usageError } from "./errors.ts";
import { forward } from "./forward.ts";
import { parseUpstream, type Upstream } from "./upstream.ts";
import { SERVER_IMAGE } from "./version.ts";

/** The Pod's port behind the user's Service, as in the original. */
const REQUEST_PORT = 8444;
/** Names of Services (RFC 1035); the control Service's, with `-kurun`, must fit too. */
const SERVICE_NAME = /^[a-z]([a-z0-9-]{0,55}[a-z0-9])?$/;

interface PortForwardOptions extends Record<string, unknown> {
  servicename: string;
  serviceport: string;
  serverImage: string;
  ttl: string;
  hold: string;
}

/** `kurun port-forward URL` */
export function portForwardCommand(context: Context): Command {
  const command = new Command("port-forward")
    .summary("let a Service in the cluster reach a program here")
    .description("Makes a Service in the cluster whose callers reach the program at URL on this machine, until Ctrl+C.")
    .argument("<url>", "the program: http://localhost:8080, localhost:8080 or 8080")
    .option("--servicename <name>", "the Service to make", "kurun")
    .option("--serviceport <port>", "the Service's port", "80")
    .option("--server-image <image>", "the image of kurun's Pod", SERVER_IMAGE)
    .option("--ttl <duration>", "how long what was made outlives this command if it is killed; 0 for ever", "2m")
    .option("--hold <duration>", "how long a request waits while nobody is connected before it gets a 503", "3s")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(command).action((url: string, options: PortForwardOptions) => portForward(context, url, options));
}

const EXAMPLES = `
Examples:
  # http://kurun.default.svc/ in the cluster is answered by the program on port 8080 here
  kurun port-forward http://localhost:8080

  # a Service of another name and port, in another namespace
  kurun port-forward 3000 --servicename api --serviceport 8000 -n dev
`;

async function portForward(context: Context, url: string, options: PortForwardOptions): Promise<void> {
  const upstream = parseUpstream(url);
  const plan = planSession(context, upstream, options);
  const access = await loadClusterAccess(clusterFlags(options), { get: context.env });
  for (const warning of access.warnings) context.stderr(`Warning: ${warning}\n`);
  const api = new Api(access, { userAgent: "kurun" });
  try {
    const settled = { ...plan, namespace: access.namespace };
    const key = context.random(KEY_BYTES);
    const { certPem: cert, keyPem: certKey } = await selfSignedServerCertificate({
      names: [controlServiceName(plan.service)],
      days: 365,
      now: context.date(),
    });
    const session = await ClusterSession.create(api, settled, { key, cert, certKey }, context.date);
    await forward({ context, access, api, session, upstream, key });
  } finally {
    api.close();
  }
}

function planSession(context: Context, upstream: Upstream, options: PortForwardOptions): Omit<SessionPlan, "namespace"> {
  const { servicename: service } = options;
  if (!SERVICE_NAME.test(service)) {
    throw usageError(`--servicename ${service} is no name for a Service: lower-case letters, digits and -, at most 57`);
  }
  const port = Number(options.serviceport);
  if (!/^\d+$/.test(options.serviceport) || port < 1 || port > 65535) {
    throw usageError(`--serviceport ${options.serviceport} is no port: 1 to 65535`);
  }
  return {
    name: `${service}-kurun-${randomWord(context)}`,
    service,
    ports: [{ name: "http", port, targetPort: REQUEST_PORT }],
    image: options.serverImage,
    ttlSeconds: Math.ceil(parseDuration("--ttl", options.ttl) / 1000),
    holdMs: parseDuration("--hold", options.hold),
    annotations: {
      [Annotation.who]: context.who,
      [Annotation.from]: context.from,
      [Annotation.since]: context.date().toISOString(),
      [Annotation.upstream]: upstream.url,
    },
  };
}

/** Five letters and digits, as Kubernetes itself makes them: none that read as words. */
function randomWord(context: Context): string {
  return [...context.random(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("");
}
