import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { dropRuntimeRoots } from "../../k8s/api/trusted_roots.ts";
import { LOCAL_HOSTS, serviceHosts, sessionCertificates } from "../../k8s/certificate/session_ca.ts";
import { ManifestError } from "../../k8s/manifests/manifest_error.ts";
import { Annotation, type ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import { switchBinding } from "../../k8s/session/objects/webhook_objects.ts";
import type { Transport } from "../../k8s/session/session_rights.ts";
import { type ConfigurationCopy, HOOK_PORT, servedName } from "../../k8s/webhook/copy_configuration.ts";
import { describeFilter } from "../../k8s/webhook/describe_filter.ts";
import { filterWarnings } from "../../k8s/webhook/filter_warnings.ts";
import { findServed } from "../../k8s/webhook/find_configurations.ts";
import type { HookManifest } from "../../k8s/webhook/manifest_hooks.ts";
import { parseFilter } from "../../k8s/webhook/only_filter.ts";
import { MAX_HOLD_MS } from "../../tunnel/mod.ts";
import { addClusterFlags, collect, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDryRunFlags, dryRunFormat, dryRunText, MADE_AT_START } from "../command/dry_run.ts";
import { ExitError, usageError } from "../command/errors.ts";
import { checkServiceName, parseDuration, parsePort } from "../command/flag_values.ts";
import { readManifestFiles } from "../manifests/manifest_files.ts";
import { forward } from "../port_forward/forward.ts";
import { addPodFlags, podWishes } from "../port_forward/pod_flags.ts";
import { addProgramFlags, requestRewrite, type TrafficFlags, trustUpstream } from "../port_forward/traffic_flags.ts";
import { carriesBytes, parseUpstream, type Upstream } from "../port_forward/upstream_url.ts";
import { MAX_WEBHOOK_SERVICE, WEBHOOK_PREFIX, webhookService } from "../session/default_service.ts";
import { serverImage, serverImageOption } from "../session/server_image.ts";
import { sessionName } from "../session/start_session.ts";
import { transportOption } from "../session/transport_option.ts";
import { describeServed } from "./describe_served.ts";
import { reviewLens } from "./review_lens.ts";
import { LocalProgram } from "./local_program.ts";
import { prepareStart } from "./prepare_start.ts";
import { copiesFor, SessionWebhooks, type WebhookWishes } from "./session_webhooks.ts";

/** A session's certificate is made at its start, and never renewed. */
const CERTIFICATE_DAYS = 365;

interface WebhookFlags extends Record<string, unknown>, TrafficFlags {
  filename?: string[];
  certDir?: string;
  config?: string[];
  only?: string[];
  match?: string;
  shadow?: boolean;
  failurePolicy?: string;
  timeoutSeconds?: string;
  servicename?: string;
  serverImage?: string;
  podPort: string;
  ttl: string;
  hold: string;
  timeout: string;
  takeover?: boolean;
  transport: Transport;
}

/** `kurun webhook [URL]` */
export function webhookCommand(context: Context): Command {
  const command = new Command("webhook")
    .summary("answer the cluster's admission webhooks with a program on your machine")
    .description(
      "Lets the API server call the program at URL on this machine for admission webhooks, until Ctrl+C. The webhooks are those of the " +
        "configurations in -f or --config, or all that call a Service of the namespace. kurun makes the certificates. Configurations that are " +
        "in the cluster still apply to all requests that --only and --match leave out, and to all requests once kurun has ended.",
    )
    .argument("[url]", `the program: 9443, localhost:9443 or https://…, or http://… for a program without TLS (default: ${DEFAULT_URL})`)
    .argument("[command...]", "after --: the command that starts the program; when one of the two ends, so does the other")
    .option("-f, --filename <file>", "a manifest with webhook configurations: file, folder, URL, or - for stdin; can be repeated", collect)
    .option("--config <name>", "a webhook configuration in the cluster; can be repeated", collect)
    .option(
      "--only <key=value>",
      "answer only requests with this namespace, name, kind, label or user (* matches any text); can be repeated",
      collect,
    )
    .option("--match <expression>", "answer only requests for which this CEL expression is true, as in matchConditions of a webhook")
    .option("--shadow", "let the configurations in the cluster apply to your requests too")
    .addOption(new Option("--failure-policy <policy>", "the failurePolicy (default: as configured)").choices(["Fail", "Ignore"]))
    .option("--cert-dir <folder>", "where the program finds tls.crt and tls.key (default: where controller-runtime looks for them)")
    .option("--timeout-seconds <seconds>", "the timeoutSeconds, 1 to 30", "30")
    .option("--servicename <name>", `the Service to create (default: ${WEBHOOK_PREFIX}NAME, with your user name)`)
    .addOption(serverImageOption())
    .option("--ttl <duration>", "how long the session outlives this command if it is killed", "30s")
    .option("--hold <duration>", "how long a request waits for kurun to reconnect before it gets a 503; at most 10m", "10s")
    .option("--timeout <duration>", "how long to wait until the Service can be called; 0 waits forever", "60s")
    .addOption(transportOption())
    .option("--takeover", "replace the session that uses the Service, yours or another user's")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDryRunFlags(addPodFlags(addProgramFlags(command)))).action((
    url: string | undefined,
    more: string[],
    options: WebhookFlags,
  ) => webhook(context, splitOperands(context, url === undefined ? [] : [url, ...more]), options));
}

const DEFAULT_URL = "https://localhost:9443";

const EXAMPLES = `
Examples:
  # the webhooks of a kubebuilder project: kurun starts the manager, with a certificate
  kurun webhook -f config/webhook/manifests.yaml -- go run ./cmd

  # a configuration of the cluster, for the requests of one namespace
  kurun webhook 9443 --config my-webhooks --only namespace=dev-alice

  # a program without TLS, for pods with a label; if it does not answer, they are admitted
  kurun webhook http://localhost:8080 -f hook.yaml --only kind=Pod --only label=app=web --failure-policy Ignore
`;

/** The URL before `--`, and the command after it, which commander does not tell apart. @throws UserError */
function splitOperands({ args }: Context, operands: readonly string[]): { url: string; command: readonly string[] } {
  const at = args.indexOf("--");
  const command = at < 0 ? [] : args.slice(at + 1);
  const [url = DEFAULT_URL, next] = operands.slice(0, operands.length - command.length);
  if (next !== undefined) throw usageError(`unexpected argument ${next}: put a command after --, as in kurun webhook -- go run ./cmd`);
  return { url, command };
}

async function webhook(
  context: Context,
  { url, command }: { url: string; command: readonly string[] },
  options: WebhookFlags,
): Promise<void> {
  const filter = parseFilter(options.only ?? [], options.match);
  const upstream = await trustUpstream(programAt(url), options);
  const program = { upstream, command, folder: options.certDir };
  const rewrite = requestRewrite(upstream, options);
  const timeoutSeconds = parseSeconds(options.timeoutSeconds ?? "30");
  const timeoutMs = parseDuration("--timeout", options.timeout);
  const wishes = { ...sessionWishes(context, upstream, options), ...await podWishes(options) };
  const dryRun = dryRunFormat(options);
  const files = await readFiles(context, options.filename ?? []);
  if (!dryRun) await LocalProgram.check(program, context);
  dropRuntimeRoots();
  const [access, image] = await Promise.all([openCluster(context, options), serverImage(context, options.serverImage)]);
  const { namespace } = access;
  const names = [...serviceHosts(wishes.service, namespace), ...LOCAL_HOSTS];
  using api = new Api(access, { userAgent: "kurun" });
  const [certificates, found] = await Promise.all([
    sessionCertificates({ names, days: CERTIFICATE_DAYS, now: context.date() }),
    findServed(api, { files, names: options.config ?? [], namespace, service: wishes.service, signal: context.interrupted }),
  ]);
  const { configurations: served, conversions } = found;
  const warnings = filterWarnings(filter, served.flatMap(({ configuration }) => configuration.webhooks));
  for (const note of found.notes) context.stderr(`Note: ${note}\n`);
  for (const warning of warnings) context.stderr(`Warning: ${warning}\n`);
  const { caPem, ...pair } = certificates;
  const plan: ForwardPlan = {
    ...wishes,
    ...image,
    namespace,
    tls: { ...pair, alpn: ["http/1.1"] },
    annotations: {
      ...wishes.annotations,
      [Annotation.serves]: [
        ...served.map(servedName),
        ...conversions.map(({ original }) => `CustomResourceDefinition/${original.metadata.name}`),
      ].join(","),
      [Annotation.filter]: JSON.stringify(filter),
    },
  };
  const { failurePolicy, shadow = false } = options;
  const how = { url: upstream.url, filter: describeFilter(filter), shadow };
  const configured: WebhookWishes = { served, conversions, filter, caPem, failurePolicy, timeoutSeconds, shadow };
  if (dryRun) {
    const configurations = (plan: ForwardPlan, uid: string) => [
      ...copiesFor(plan, configured).map(withoutAuthority),
      switchBinding(plan, uid),
    ];
    // The certificate would make another digest of the plan each time.
    const tls = { certPem: "", keyPem: "", alpn: ["http/1.1"] };
    return context.data(dryRunText({ ...plan, tls }, dryRun, configurations));
  }
  const running = await LocalProgram.start(program, certificates, context);
  const until = {
    ...context,
    interrupted: AbortSignal.any([context.interrupted, running.ended]),
    // A status line would run into what the command prints.
    terminal: command.length === 0 ? context.terminal : undefined,
  };
  try {
    await forward({
      context: until,
      access,
      api,
      plan,
      port: HOOK_PORT,
      takeover: options.takeover ?? false,
      transport: options.transport,
      upstream,
      callerScheme: "https",
      rewrite,
      timeoutMs,
      reader: reviewLens({ ...found, served, failurePolicy }),
      check: (plan) => prepareStart(api, plan, configured, (line) => context.stderr(`${line}\n`), until.interrupted),
      extra: (session, say, traffic) =>
        new SessionWebhooks({
          ...configured,
          api,
          session,
          say,
          traffic,
          listening: (signal) => running.listening(say, signal),
          announcement: [
            ...served.flatMap((one) => describeServed(one, how)),
            ...conversions.map(({ original }) => `convert ${original.metadata.name} -> ${upstream.url}`),
          ].map((line) => `${line}\n`).join(""),
        }),
    });
  } catch (error) {
    // The command may end before there is a session.
    if (error !== running.ended.reason) throw error;
  } finally {
    await running.end();
  }
  if (running.exitCode) throw new ExitError(running.exitCode);
}

/** A copy for a dry run: the CA is new at each start. */
function withoutAuthority(copy: ConfigurationCopy): ConfigurationCopy {
  const webhooks = copy.webhooks.map((hook) => ({ ...hook, clientConfig: { ...hook.clientConfig, caBundle: MADE_AT_START } }));
  return { ...copy, webhooks };
}

async function readFiles(context: Context, names: readonly string[]): Promise<HookManifest[]> {
  const { files, problems } = await readManifestFiles({
    names,
    recursive: false,
    cwd: Deno.cwd(),
    stdin: async () => new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer()),
    command: "kurun webhook -f -",
    signal: context.interrupted,
  });
  if (problems.length > 0) throw new ManifestError(problems);
  return files;
}

/** The program at a URL; without a scheme, it speaks TLS. @throws UserError */
function programAt(url: string): Upstream {
  const upstream = parseUpstream(/^\d+$/.test(url) ? `https://localhost:${url}` : url.includes("://") ? url : `https://${url}`);
  if (carriesBytes(upstream.scheme)) throw usageError(`kurun webhook serves requests, not bytes: use https:// or http://, got ${url}`);
  return upstream;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < 1 || seconds > 30) throw usageError(`--timeout-seconds must be 1 to 30, got ${text}`);
  return seconds;
}

function sessionWishes(
  context: Context,
  upstream: Upstream,
  options: WebhookFlags,
): Omit<ForwardPlan, "namespace" | "image"> {
  const service = options.servicename ?? webhookService(context.who);
  checkServiceName(service);
  if (service.length > MAX_WEBHOOK_SERVICE) throw usageError(`--servicename ${service} has more than ${MAX_WEBHOOK_SERVICE} characters`);
  const ttlSeconds = Math.ceil(parseDuration("--ttl", options.ttl) / 1000);
  if (ttlSeconds === 0) throw usageError("--ttl 0 would let webhooks call a kurun that was killed forever: use a time such as 30s");
  return {
    name: sessionName(context, service),
    service,
    ports: [{ name: "https", appProtocol: "https", port: HOOK_PORT, targetPort: parsePort("--pod-port", options.podPort) }],
    ttlSeconds,
    holdMs: parseDuration("--hold", options.hold, MAX_HOLD_MS),
    fallback: options.fallback,
    verbose: options.verbose ?? false,
    annotations: {
      [Annotation.who]: context.who,
      [Annotation.from]: context.from,
      [Annotation.since]: context.date().toISOString(),
      [Annotation.upstream]: upstream.url,
    },
  };
}
