import { ApiError } from "../k8s/api_error.ts";
import { ConnectionError } from "../k8s/connection_error.ts";
import { CredentialError } from "../k8s/cluster_access.ts";
import { KubeconfigError } from "../k8s/kubeconfig_files.ts";
import { ObjectExistsError } from "../k8s/session.ts";
import { ExitCode, UserError } from "./errors.ts";

/** An error as the user reads it. */
export interface ErrorText {
  readonly text: string;
  readonly exitCode: number;
}

/** The one place where errors become text: what was tried, what came back, what to do. */
export function describeError(error: unknown): ErrorText {
  if (error instanceof UserError) return { text: `error: ${error.message}`, exitCode: error.exitCode };
  if (error instanceof KubeconfigError || error instanceof CredentialError) {
    return { text: `error: ${error.message}`, exitCode: ExitCode.cluster };
  }
  if (error instanceof ConnectionError) {
    return { text: `error: the cluster cannot be reached: ${error.message}`, exitCode: ExitCode.cluster };
  }
  if (error instanceof ApiError) return { text: `Error from server (${error.reason}): ${error.message}`, exitCode: ExitCode.cluster };
  if (error instanceof ObjectExistsError) {
    return {
      text: `error: ${error.kind} ${error.objectName} exists already: choose another name with --servicename, or delete it`,
      exitCode: ExitCode.cluster,
    };
  }
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return { text: `error: this is a fault of kurun's own, please report it: ${text}`, exitCode: ExitCode.failed };
}
