import { FolderError } from "../k8s/images/temporary_folder.ts";
import { SessionBrokenError } from "../k8s/session/check_objects.ts";
import { ApiError } from "../k8s/api/api_error.ts";
import { ApplySetError } from "../k8s/manifests/applyset.ts";
import { ServiceRefusedError } from "../k8s/session/service/claim_service.ts";
import { CredentialError } from "../k8s/api/cluster_access.ts";
import { ConnectionError, type ConnectionErrorKind } from "../k8s/api/connection_error.ts";
import { ImageError } from "../k8s/images/image_error.ts";
import { KubeconfigError } from "../k8s/kubeconfig/kubeconfig_files.ts";
import { PodPatchRefusedError } from "../k8s/session/pod/pod_patch_check.ts";
import { RegistryError } from "../k8s/registry/registry_error.ts";
import { ObjectExistsError, SessionGoneError } from "../k8s/session/session.ts";
import { describeRight, MissingRightsError } from "../k8s/session/session_rights.ts";
import { TlsSecretError } from "../k8s/session/service/tls_secret.ts";
import { NotServedError } from "../k8s/webhook/find_configurations.ts";
import { ConversionTakenError } from "../k8s/webhook/serve_conversion.ts";
import { HookFilterError } from "../k8s/webhook/only_filter.ts";
import { BuildError } from "./builders/build_error.ts";
import { BuildErrors, describeBuildErrors } from "./images/build_errors.ts";
import { describeRefusal } from "./port_forward/describe_refusal.ts";
import { describeRegistryError } from "./images/describe_registry_error.ts";
import { failingWebhook, isAboutResources } from "./session/describe_wait.ts";
import { RightsLostError } from "./session/keep_session.ts";
import { ReplacedError } from "./session/tunnel_link.ts";
import { type ErrorText, ExitCode, ExitError, UserError } from "./command/errors.ts";
import { NotStartedError } from "./run/remote_run.ts";
import { ManifestError } from "../k8s/manifests/manifest_error.ts";
import { NotReadyError } from "./session/hold_session.ts";

/** Describes any error for the user: what failed, what was seen, and what to do. */
export function describeError(error: unknown): ErrorText {
  if (error instanceof ExitError) return { ...describeError(error.cause), exitCode: error.exitCode };
  if (error instanceof RightsLostError) {
    return failure(`the right to renew the session was revoked: ${error.message}`, ExitCode.sessionLost);
  }
  if (error instanceof SessionBrokenError) {
    return failure(
      `${error.message}. The session cannot continue after that and was removed; start kurun again`,
      ExitCode.sessionLost,
    );
  }
  if (error instanceof ReplacedError || error instanceof SessionGoneError) return failure(error.message, ExitCode.sessionLost);
  if (error instanceof NotStartedError) return failure(`the program could not be started: ${error.message}`, ExitCode.neverStarted);
  if (error instanceof ApplySetError || error instanceof CredentialError || error instanceof KubeconfigError) return failure(error.message);
  if (error instanceof ManifestError) return { text: error.message, exitCode: ExitCode.usage };
  if (error instanceof HookFilterError || error instanceof NotServedError) return failure(error.message, ExitCode.usage);
  if (error instanceof UserError) return failure(error.message, error.exitCode);
  if (error instanceof BuildErrors) return failure(describeBuildErrors(error), error.usage ? ExitCode.usage : ExitCode.failed);
  if (error instanceof RegistryError) return failure(describeRegistryError(error), ExitCode.failed);
  if (error instanceof ImageError || error instanceof FolderError) return failure(error.message, ExitCode.failed);
  if (error instanceof BuildError) return failure(error.message, error.usage ? ExitCode.usage : ExitCode.failed);
  if (error instanceof ConnectionError) return failure(describeConnection(error));
  if (error instanceof MissingRightsError) return failure(describeRights(error));
  if (error instanceof TlsSecretError) return failure(`--tlssecret: ${error.message}`, ExitCode.usage);
  if (error instanceof PodPatchRefusedError) {
    return failure(`--server-overrides: the cluster refuses the changed Pod; nothing was created: ${error.message}`, ExitCode.usage);
  }
  if (error instanceof ServiceRefusedError) return failure(describeRefusal(error));
  if (error instanceof ConversionTakenError) {
    const { name, namespace } = error.session;
    const todo = `To end that session: kurun stop ${name} -n ${namespace}; if it is gone: kurun cleanup -n ${namespace}`;
    return failure(`${error.message}, which cannot be shared\n${todo}\nTo leave the conversions to it, name what you serve: --config NAME`);
  }
  if (error instanceof NotReadyError) return failure(describeNotReady(error), ExitCode.failed);
  if (error instanceof ApiError) return describeAnswer(error);
  if (error instanceof ObjectExistsError) {
    return failure(`${error.kind} ${error.objectName} already exists: choose another name with --servicename or --name, or delete it`);
  }
  // An error of the operating system about a file, with its path: a read-only home folder, a full disk.
  if (error instanceof Error && /\(os error \d+\)/.test(error.message)) return failure(error.message, ExitCode.failed);
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return failure(`this is a bug in kurun. Please report it with the text below.\n${text}`, ExitCode.failed);
}

function failure(sentence: string, exitCode: number = ExitCode.cluster): ErrorText {
  // Errors of inner layers start with a capital letter; after "error:" a sentence starts in lower case, as kubectl's do.
  const text = sentence.replace(/^(?:Cannot|There|The|No) /, (word) => word.toLowerCase());
  return { text: `error: ${text}`, exitCode };
}

/** What to do about a kind of failure. */
const CONNECTION_HINTS: Partial<Record<ConnectionErrorKind, string>> = {
  refused: "check that the cluster is running and that this is its address",
  unreachable: "check the network, and the VPN if the cluster needs one",
  dns: "check the name, the network, and the VPN if the cluster needs one",
  timeout: "check the address, the network, and the VPN if the cluster needs one",
  "tls-untrusted": "the kubeconfig's certificate-authority did not sign the API server's certificate",
  "tls-name": "the API server's certificate is for other names: pass one of them as --tls-server-name",
  "tls-expired": "check this machine's clock",
  "tls-client": "the API server refused the client certificate, which may have expired: log in again",
  proxy: "check HTTPS_PROXY, NO_PROXY and the kubeconfig's proxy-url",
};

function describeConnection({ kind, message }: ConnectionError): string {
  const hint = CONNECTION_HINTS[kind];
  return `${message.replace(/^Cannot reach /, "cannot reach the API server at ")}${hint ? `; ${hint}` : ""}`;
}

function describeRights({ missing, user, scope: { purpose, namespace, service } }: MissingRightsError): string {
  const who = user ? `user ${user}` : "the user";
  const named = service !== undefined && service !== "kurun" && (purpose === "port-forward" || purpose === "webhook")
    ? ` --servicename ${service}`
    : "";
  return [
    `${who} lacks rights that this command needs; nothing was created:`,
    ...missing.map((right) => `  cannot ${describeRight(right)}`),
    `Ask the cluster's administrator to apply the Role that this prints: kurun doctor --rbac --for ${purpose} -n ${namespace}${named}`,
    ...(purpose === "webhook"
      ? ["Or let an administrator configure the webhook, and serve its Service: kurun port-forward tls://localhost:9443 --servicename NAME"]
      : []),
  ].join("\n");
}

function describeNotReady({ seconds, waitedFor, link }: NotReadyError): string {
  const rest = "; everything was removed again";
  if (seconds === undefined) return `the cluster refuses kurun's Pod${rest}:\n  ${waitedFor}`;
  if (waitedFor) return `kurun's Pod was not ready within ${seconds} s${rest}. It waited for:\n  ${waitedFor}`;
  if (link) return `kurun's Pod is running, but kurun could not connect to it within ${seconds} s: ${link}${rest}`;
  return `kurun's Pod was not ready within ${seconds} s, and the cluster does not say why${rest}. Try a longer --timeout`;
}

function describeAnswer(error: ApiError): ErrorText {
  const { status, details, message, reason } = error;
  if (status === 401) {
    const why = error.hint === undefined ? "" : `: ${error.hint}`;
    return failure(
      `the API server does not accept these credentials (401 Unauthorized)${why}\nLog in again, or choose another user or context.`,
    );
  }
  if (status === 404 && details?.kind === "namespaces") {
    return failure(
      `namespace ${details.name} does not exist: create it with kubectl create namespace ${details.name}, or choose another with -n`,
    );
  }
  const hint = isAboutResources(message) ? "\n  Set the Pod's resources with --requests and --limits." : "";
  const webhook = /failed calling webhook "([\w.-]+)"/.exec(message)?.[1];
  return {
    text: `Error from server${reason ? ` (${reason})` : ""}: ${message}${webhook ? `\n  ${failingWebhook(webhook)}` : hint}`,
    exitCode: ExitCode.cluster,
  };
}
