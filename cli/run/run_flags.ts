import { basename, dirname, resolve } from "node:path";
import { isObject } from "../../k8s/api/exact_json.ts";
import type { RunPod } from "../../k8s/session/objects/session_plan.ts";
import type { Transport } from "../../k8s/session/session_rights.ts";
import type { Context } from "../command/context.ts";
import { checkSecretName, nameEnd, parseDuration, readPatchFlag } from "../command/flag_values.ts";
import { usageError } from "../command/errors.ts";
import type { PodPatch } from "../../k8s/session/objects/pod_overrides.ts";
import { parsePortPair, type PortPair } from "./run_ports.ts";

/** A name that is also valid for labels and Services (RFC 1035) and leaves room for `-kurun` within 63 characters. */
const NAME = /^[a-z]([a-z0-9-]{0,55}[a-z0-9])?$/;
/** The longest part of a generated name that comes from the program's. */
const MAX_STEM = 40;
/** Files with these names are called after their folder. */
const PLAIN_NAMES = new Set(["main", "index", "mod", "app", "server", "cli"]);
/** An amount of a resource (a Kubernetes quantity). */
const QUANTITY = /^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e\d+)?$/;

/** The flags as commander parsed them. */
export type RunFlags =
  & Readonly<Record<"workdir" | "rm" | "ttl" | "timeout", string>>
  & Readonly<
    Partial<Record<"name" | "serviceaccount" | "image" | "requests" | "limits" | "overrides" | "serverImage" | "imagePullSecret", string>>
  >
  & { readonly transport: Transport }
  & Readonly<Partial<Record<"stdin" | "tty" | "watch", boolean>>>
  & Readonly<Partial<Record<"env" | "envFile" | "publish", readonly string[]>>>;

/** The checked command line of `kurun run`. */
export interface RunOptions extends Pick<RunFlags, "workdir" | "watch" | "rm" | "imagePullSecret" | "transport"> {
  /** What is built, as the user named it. */
  readonly targets: readonly string[];
  /** The program's own arguments. */
  readonly args: readonly string[];
  /** The program's name: its argv[0]. */
  readonly programName: string;
  /** The name of the Pod and of its session. */
  readonly name: string;
  /** Whether the user chose the name. */
  readonly named: boolean;
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Whether the program has a terminal. Then the user's is in raw mode, and each key goes to the program. */
  readonly terminal: boolean;
  /** Whether the program gets standard input. */
  readonly stdin: boolean;
  readonly ports: readonly PortPair[];
  readonly pod: RunPod;
  readonly ttlSeconds: number;
  /** Milliseconds; 0 is unlimited. */
  readonly timeoutMs: number;
}

/** Checks flags and arguments. @throws UserError naming what is wrong */
export async function runOptions(context: Context, program: string, args: readonly string[], flags: RunFlags): Promise<RunOptions> {
  const { targets, rest } = splitArguments(program, args);
  const programName = nameOfProgram(targets[0] as string);
  if (flags.name !== undefined && !NAME.test(flags.name)) {
    throw usageError(
      `--name must be lower-case letters, digits and -, start with a letter, and have at most 57 characters, got ${flags.name}`,
    );
  }
  if (flags.imagePullSecret !== undefined) checkSecretName("--image-pull-secret", flags.imagePullSecret);
  const { stdinIsTerminal, readable } = context.stdio;
  const terminal = (flags.tty ?? false) && stdinIsTerminal;
  if (flags.tty && !terminal) context.stderr("Warning: -t is ignored: standard input is not a terminal\n");
  return {
    ...flags,
    targets,
    args: rest,
    programName,
    name: flags.name ?? madeName(context, programName),
    named: flags.name !== undefined,
    env: await environment(context, flags),
    terminal,
    stdin: readable || (flags.stdin ?? false),
    ports: (flags.publish ?? []).map(parsePortPair),
    pod: {
      ...(flags.serviceaccount === undefined ? {} : { serviceAccount: flags.serviceaccount }),
      ...(flags.image === undefined ? {} : { baseImage: flags.image }),
      ...(flags.requests === undefined ? {} : { requests: parseAmounts("--requests", flags.requests) }),
      ...(flags.limits === undefined ? {} : { limits: parseAmounts("--limits", flags.limits) }),
      ...(flags.overrides === undefined ? {} : { overrides: await parseOverrides(flags.overrides) }),
    },
    ttlSeconds: Math.ceil(parseDuration("--ttl", flags.ttl) / 1000),
    timeoutMs: parseDuration("--timeout", flags.timeout),
  };
}

/** Splits what is to be built, one path or several `.go` files, from the program's arguments. `separated`: `--` stands between the two. */
export function splitArguments(program: string, args: readonly string[]): { targets: string[]; rest: string[]; separated: boolean } {
  const targets = [program];
  let at = 0;
  while (program.endsWith(".go") && args[at]?.endsWith(".go")) targets.push(args[at++] as string);
  const separated = args[at] === "--";
  return { targets, rest: args.slice(separated ? at + 1 : at), separated };
}

/** Reads `cpu=100m,memory=64Mi`. @throws UserError */
export function parseAmounts(flag: string, text: string): Record<string, string> {
  const amounts: Record<string, string> = {};
  for (const part of text.split(",")) {
    const [, name, amount] = /^([a-z0-9./-]+)=(.+)$/i.exec(part) ?? [];
    if (name === undefined || amount === undefined) throw usageError(`${flag} ${text}: write cpu=100m,memory=64Mi`);
    if (!QUANTITY.test(amount)) throw usageError(`${flag} ${text}: ${amount} is not an amount such as 100m, 0.5, 64Mi or 1Gi`);
    amounts[name] = amount;
  }
  return amounts;
}

/** Reads one `NAME=VALUE` a line, without quotes or escapes, or a name alone, which takes the value from `here`. @throws UserError */
export function parseEnvFile(file: string, text: string, here: (name: string) => string | undefined): [string, string][] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "" || line.trimStart().startsWith("#")) return [];
    return variable(line, here, () => usageError(`--env-file ${file}, line ${index + 1}: write NAME=VALUE`));
  });
}

async function environment(context: Context, flags: RunFlags): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const file of flags.envFile ?? []) {
    const text = await Deno.readTextFile(file).catch((cause) => {
      throw usageError(`--env-file ${file} cannot be read: ${(cause as Error).message}`, { cause });
    });
    found.push(...parseEnvFile(file, text.replace(/^\uFEFF/, ""), context.env));
  }
  for (const text of flags.env ?? []) {
    found.push(...variable(text, context.env, () => usageError(`--env ${JSON.stringify(text)}: write NAME=VALUE`)));
  }
  return [...new Map(found)];
}

function variable(text: string, here: (name: string) => string | undefined, wrong: () => Error): [string, string][] {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  if (name === "" || /[\s\0]/.test(name)) throw wrong();
  if (at >= 0) return [[name, text.slice(at + 1)]];
  const value = here(name);
  return value === undefined ? [] : [[name, value]];
}

/** Reads `--overrides`. @throws UserError */
async function parseOverrides(text: string): Promise<PodPatch> {
  const patch = await readPatchFlag("--overrides", text);
  const example = '{"spec": {"nodeSelector": {"disk": "ssd"}}}';
  if (!isObject(patch)) throw usageError(`--overrides must be an object with fields of a Pod, such as ${example}`);
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  const unknown = Object.keys(patch).find((field) => !known.includes(field) && !field.startsWith("$"));
  if (unknown !== undefined) {
    throw usageError(`--overrides: a Pod has no field "${unknown}". Fields of its spec go into "spec": ${example}`);
  }
  return patch;
}

/** The name of a program: of its file without the extension, or of its folder if the file is called main or the like. */
export function nameOfProgram(target: string): string {
  const path = resolve(target);
  const stem = basename(path).replace(/\.[a-z]+$/, "");
  return (PLAIN_NAMES.has(stem) ? basename(dirname(path)) : stem) || "program";
}

function madeName(context: Context, programName: string): string {
  const stem = programName.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+/, "").slice(0, MAX_STEM).replace(/-+$/, "");
  return `${stem || "program"}-${nameEnd(context.random)}`;
}
