import { Api } from "../../k8s/api/api.ts";
import { runPod } from "../../k8s/session/objects/run_objects.ts";
import { openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { dryRunFormat, dryRunText, NAME_END } from "../command/dry_run.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { findSource } from "../builders/program_source.ts";
import { ProgramRun } from "./program_run.ts";
import { NeverStartedError, ProgramEndedError } from "./run_end.ts";
import type { RunOptions } from "./run_flags.ts";
import { planRun } from "./run_session.ts";

/**
 * Runs a program in the cluster until it ends.
 * @param flags those that choose the cluster, and whether nothing is to be made
 * @throws ProgramEndedError with the program's exit code, NeverStartedError, UserError
 */
export async function run(context: Context, options: RunOptions, flags: Record<string, unknown>): Promise<void> {
  const dryRun = dryRunFormat(flags);
  const source = await findSource(options.targets, Deno.cwd());
  const access = await openCluster(context, flags);
  const name = dryRun && flags.name === undefined ? options.name.replace(/[^-]+$/, NAME_END) : options.name;
  const plan = planRun(context, { ...options, name }, access.namespace);
  const { ignored } = runPod(plan, { name: plan.name, uid: "" });
  for (const what of ignored) context.stderr(`Warning: --overrides: ${what}: ignored\n`);
  if (dryRun) return context.data(dryRunText(plan, dryRun));
  const api = new Api(access, { userAgent: "kurun" });
  const program = new ProgramRun({ context, access, api, options, source, plan });
  try {
    await program.run();
  } catch (error) {
    if (error instanceof ProgramEndedError) throw error;
    if (program.started) throw error;
    if (context.interrupted.aborted) throw new ProgramEndedError(130);
    if (error instanceof UserError && error.exitCode === ExitCode.usage) throw error;
    throw new NeverStartedError(error);
  } finally {
    api.close();
  }
}
