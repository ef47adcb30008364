import assert from "node:assert/strict";
import { runCompiler } from "./run_compiler.ts";

/** Runs a shell script instead of a compiler; `said` grows with its output. */
function run(script: string, signal: AbortSignal, hear: (text: string) => void = () => {}): Promise<number> {
  return runCompiler({ program: "sh", args: ["-c", script], folder: Deno.cwd(), env: { WORD: "a word" }, stderr: hear, signal });
}

Deno.test("a compiler's messages are passed on as they come, and its exit code is returned", async () => {
  const heard: string[] = [];
  let first: () => void = () => {};
  const spoken = new Promise<void>((resolve) => first = resolve);
  const running = run('echo "$WORD" >&2; read -r line; sleep 0.3; printf "the end" >&2; exit 7', new AbortController().signal, (text) => {
    heard.push(text);
    first();
  });
  await spoken;
  assert.deepEqual(heard, ["a word\n"]);
  assert.equal(await running, 7);
  assert.equal(heard.join(""), "a word\nthe end");
});

Deno.test("an interrupted compiler is asked to end and may clean up, and its further messages are dropped", async () => {
  const folder = await Deno.makeTempDir();
  const ending = new AbortController();
  let heard = "";
  try {
    const script = `trap 'echo late >&2; echo clean > ${folder}/end; exit 1' INT; echo ready >&2; while :; do sleep 0.05; done`;
    const running = run(script, ending.signal, (text) => {
      heard += text;
      ending.abort(new Error("enough"));
    });
    await assert.rejects(running, { message: "enough" });
    assert.equal(await Deno.readTextFile(`${folder}/end`), "clean\n");
    assert.equal(heard, "ready\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a compiler that does not end when asked is killed", async () => {
  const ending = new AbortController();
  let pid = 0;
  const running = run("trap '' INT; echo $$ >&2; while :; do sleep 0.05; done", ending.signal, (text) => {
    pid = Number(text);
    ending.abort(new Error("enough"));
  });
  await assert.rejects(running, { message: "enough" });
  assert.ok(pid > 0);
  assert.throws(() => Deno.kill(pid, "SIGCONT"), "it is gone");
});

Deno.test("no compiler is started after an interruption", async () => {
  await assert.rejects(run("exit 0", AbortSignal.abort(new Error("enough"))), { message: "enough" });
});
