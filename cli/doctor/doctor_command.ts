import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { type ClusterAccess, CredentialError } from "../../k8s/api/cluster_access.ts";
import { KubeconfigError, kubeconfigPaths } from "../../k8s/kubeconfig/kubeconfig_files.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { type Purpose, PURPOSES } from "../../k8s/session/role_rules.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { checkServiceName } from "../command/flag_values.ts";
import { ExitCode, ExitError, usageError } from "../command/errors.ts";
import { FORWARD_SERVICE, servicesOf, WEBHOOK_PREFIX } from "../session/default_service.ts";
import { chosenImage, serverImageOption } from "../session/server_image.ts";
import { sessionName } from "../session/start_session.ts";
import { type Diagnosis, examine, whoAmI } from "./checks.ts";
import { problem } from "./finding.ts";
import { diagnosisJson, diagnosisText } from "./report.ts";
import { roleText } from "./role_text.ts";

/** How long one answer of the API server may take unless --request-timeout is given, in milliseconds. */
const ANSWER_MS = 2_000;
/** Without --for. Few users may change webhook configurations. */
const USUAL: readonly Purpose[] = ["port-forward", "run", "apply"];

interface DoctorOptions extends Record<string, unknown> {
  for?: readonly Purpose[];
  servicename?: string;
  serverImage?: string;
  rbac?: boolean;
  output?: "json";
}

/** `kurun doctor` */
export function doctorCommand(context: Context): Command {
  const command = new Command("doctor")
    .summary("check what kurun needs of the cluster, without changing anything")
    .description(
      "Checks that the API server can be reached, including over WebSocket; clocks and certificates; your rights; whether the namespace accepts " +
        "kurun's objects (by dry runs); webhooks that do not answer; sessions left behind; and nodes. Prints a line for each " +
        "problem and for each check that you may not make, and exits with 1 if there is a problem. Nothing is changed.",
    )
    .addOption(
      new Option("--for <commands>", "what you want to do, separated by commas; sessions: ls, stop and cleanup")
        .choices(PURPOSES).default(USUAL, USUAL.join(",")).argParser(parsePurposes),
    )
    .option(
      "--servicename <name>",
      `the Service of port-forward or webhook (default: ${FORWARD_SERVICE}, or ${WEBHOOK_PREFIX}NAME with your user name)`,
    )
    .addOption(serverImageOption())
    .option("--rbac", "print the Role with the rights for --for, and a RoleBinding for you, for an administrator to apply")
    .addOption(new Option("-o, --output <format>", "the output format").choices(["json"]))
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(command).action((options: DoctorOptions) => doctor(context, options));
}

const EXAMPLES = `
Examples:
  # check everything in the context's namespace
  kurun doctor

  # what is missing for kurun run in another namespace, for scripts
  kurun doctor --for run -n dev -o json

  # the Role that an administrator has to apply
  kurun doctor --rbac --for port-forward,run -n dev > role.yaml
`;

function parsePurposes(text: string): Purpose[] {
  const names = text.split(",") as Purpose[];
  const unknown = names.find((name) => !PURPOSES.includes(name));
  if (unknown !== undefined) throw usageError(`--for ${unknown} is not one of ${PURPOSES.join(", ")}`);
  return [...new Set(names)];
}

async function doctor(context: Context, options: DoctorOptions): Promise<void> {
  const { for: purposes = USUAL, output, rbac = false } = options;
  if (options.servicename !== undefined) checkServiceName(options.servicename);
  if (rbac && output !== undefined) throw usageError(`--rbac prints YAML: it cannot be used with -o ${output}`);
  if (rbac) return await printRole(context, options, purposes);
  const { paths } = kubeconfigPaths(options.kubeconfig as string | undefined, { get: context.env });
  const { access, diagnosis } = await diagnose(context, options, purposes);
  const place = { kubeconfig: paths, purposes, access };
  if (output === "json") context.data(diagnosisJson(diagnosis, place));
  else context.stdout(diagnosisText(diagnosis, place));
  if (diagnosis.findings.some(({ state }) => state === "problem")) throw new ExitError(ExitCode.failed);
}

/** If the API server does not say who the user is, the administrator has to name the subject. */
async function printRole(
  context: Context,
  options: DoctorOptions,
  purposes: readonly Purpose[],
): Promise<void> {
  const access = await openCluster(context, options);
  using api = new Api(access, { userAgent: "kurun" });
  const { username: user } = await whoAmI(api, context.interrupted).catch((): { username?: string } => ({}));
  const services = servicesOf(purposes, options.servicename, context.who);
  context.data(roleText({ purposes, services, namespace: access.namespace, user }));
}

/** @returns access is undefined if the kubeconfig or the credentials cannot be used, which the diagnosis then says */
async function diagnose(
  context: Context,
  options: DoctorOptions,
  purposes: readonly Purpose[],
): Promise<{ access?: ClusterAccess; diagnosis: Diagnosis }> {
  try {
    const access = await openCluster(context, options);
    // An exec plugin may wait for the user to log in: that is not counted in the limits.
    await access.connection();
    const limitMs = access.requestTimeoutMs || ANSWER_MS;
    using api = new Api({ ...access, requestTimeoutMs: limitMs }, { userAgent: "kurun" });
    const plans = plansFor(context, options, purposes, access.namespace);
    return { access, diagnosis: await examine({ context, api, purposes, servicename: options.servicename, plans, limitMs }) };
  } catch (error) {
    if (!(error instanceof KubeconfigError || error instanceof CredentialError)) throw error;
    const findings = [problem("kubeconfig", error.message, "")];
    return { diagnosis: { findings, checks: [], version: undefined, user: "", groups: [] } };
  }
}

/** The sessions that the commands would create. */
function plansFor(context: Context, options: DoctorOptions, purposes: readonly Purpose[], namespace: string): SessionPlan[] {
  const { image, contained } = chosenImage(context, options.serverImage);
  const common = { namespace, image, ...(contained ? {} : { server: "" }), ttlSeconds: 120, annotations: {} };
  const plans: Readonly<Partial<Record<Purpose, SessionPlan>>> = {
    "port-forward": { ...common, ...named(context, "kurun-doctor"), ports: [{ port: 80, targetPort: 8444 }], holdMs: 3_000 },
    run: { ...common, ...named(context, "kurun-doctor-run"), run: {} },
  };
  return [...new Set(purposes.map((purpose) => plans[purpose === "webhook" ? "port-forward" : purpose]))].filter((plan) =>
    plan !== undefined
  );
}

function named(context: Context, service: string): { name: string; service: string } {
  return { name: sessionName(context, service), service };
}
