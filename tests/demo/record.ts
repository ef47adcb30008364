/**
 * `deno task demo:record`: runs kurun and kubectl in two terminals against the test cluster, and writes what they showed to docs/demo.svg.
 * Pauses, such as those of the Go compiler, are shortened.
 *
 * @module
 */
import { ensureUp } from "../cluster/cluster.ts";
import { paths } from "../cluster/paths.ts";
import { kurunCommand } from "../e2e/kurun_process.ts";
import { TmuxTerminal } from "../e2e/tmux_terminal.ts";
import { loadPodImages } from "../pod_images.ts";
import { animatedSvg, type DrawnTerminal, type Frame, withoutPauses } from "./animated_svg.ts";

const PROJECT = new URL("../../examples/guestbook", import.meta.url).pathname;
const PICTURE = new URL("../../docs/demo.svg", import.meta.url).pathname;
const TERMINALS: readonly DrawnTerminal[] = [
  { title: "a terminal in the project's folder", columns: 100, rows: 16 },
  { title: "another terminal", columns: 100, rows: 11 },
];
const LONGEST_PAUSE_MS = 1_500;
const PATIENCE_MS = 240_000;
const PROMPT = /\$ ?$/;

/** Plays the session. The patterns are what must have happened before it goes on. */
async function play(kurun: TmuxTerminal, other: TmuxTerminal): Promise<void> {
  await enter(
    kurun,
    "kurun webhook 9443 -f config/webhook/manifests.yaml -v -- go run ./cmd --zap-log-level=error",
    /If kurun loses its connection/,
  );
  await pause();
  await enter(other, "kubectl create -f config/samples/lobby.yaml", /lobby created\n\$/);
  await kurun.waitFor(/lobby .* allowed[^]*lobby .* allowed/, PATIENCE_MS);
  await pause();
  await enter(other, "kubectl create -f config/samples/huge.yaml", /denied the request: [^]*\n\$/);
  await kurun.waitFor(/huge .* denied/, PATIENCE_MS);
  await pause();
  await kurun.type("C-c");
  await kurun.waitFor(PROMPT, PATIENCE_MS);
  await enter(other, "kubectl get jobs,services,secrets -l app.kubernetes.io/managed-by=kurun", /No resources found[^]*\n\$/);
  await enter(
    other,
    "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations",
    /No resources found[^]*No resources found/,
  );
}

/** Types a command word by word, and waits for what it prints. */
async function enter(terminal: TmuxTerminal, command: string, printed: RegExp): Promise<void> {
  await terminal.waitFor(PROMPT, PATIENCE_MS);
  for (const word of command.match(/\S+ ?/g) ?? []) {
    await terminal.write(word);
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  await terminal.type("Enter");
  await terminal.waitFor(printed, PATIENCE_MS);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LONGEST_PAUSE_MS));
}

/** Reads the screens until `over`. */
async function watch(terminals: readonly TmuxTerminal[], over: AbortSignal): Promise<Frame[]> {
  const frames: Frame[] = [];
  while (!over.aborted) {
    const screens = (await Promise.all(terminals.map((terminal) => terminal.screen()))).map((screen) => screen.split("\n"));
    const same = JSON.stringify(screens) === JSON.stringify(frames.at(-1)?.screens);
    if (!same) frames.push({ at: performance.now(), screens });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  return frames;
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, cwd: PROJECT, stdin: "null", stdout: "null" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed`);
}

async function record(): Promise<void> {
  const cluster = await ensureUp();
  await loadPodImages(cluster);
  const folder = await Deno.makeTempDir({ prefix: "kurun-demo-" });
  await Deno.writeTextFile(`${folder}/kurun`, `#!/bin/sh\nexec ${kurunCommand().join(" ")} "$@"\n`, { mode: 0o755 });
  Deno.env.set("PATH", `${folder}:${paths().node}/bin:${Deno.env.get("PATH")}`);
  Deno.env.set("KUBECONFIG", cluster.kubeconfig);
  const over = new AbortController();
  try {
    await run("go", "build", "-o", `${folder}/guestbook`, "./cmd");
    await run("kubectl", "apply", "-f", "config/crd/bases");
    const start = ({ columns, rows }: DrawnTerminal) =>
      TmuxTerminal.run("env -u NO_COLOR PS1='$ ' bash --norc", { columns, rows, folder: PROJECT });
    await using kurun = await start(TERMINALS[0] as DrawnTerminal);
    await using other = await start(TERMINALS[1] as DrawnTerminal);
    await Promise.all([kurun.waitFor(PROMPT), other.waitFor(PROMPT)]);
    const watching = watch([kurun, other], over.signal);
    // If the session fails, the terminals are gone before the last look at them.
    watching.catch(() => {});
    await play(kurun, other).finally(() => over.abort());
    await Deno.writeTextFile(PICTURE, animatedSvg(TERMINALS, withoutPauses(await watching, LONGEST_PAUSE_MS)));
  } finally {
    await run("kubectl", "delete", "-f", "config/crd/bases");
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await record();
