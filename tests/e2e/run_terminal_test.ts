import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { programFolder } from "./run_process.ts";
import { TmuxTerminal } from "./tmux_terminal.ts";

const BEHAVE = programFolder("tests/programs/behave");

clusterTest(
  "a full-screen program gets the terminal's size and keys, and the earlier contents return at its end",
  async (namespace) => {
    await using terminal = await TmuxTerminal.start(["run", "-it", "-n", namespace.name, programFolder("examples/screen")]);
    const drawn = await terminal.waitFor(/^\+- 100x30, key: none, q ends -+\+$/m);
    assert.equal(drawn.split("\n").length, 30);
    await terminal.type("Right");
    await terminal.waitFor(/100x30, key: right/);
    await terminal.resize(71);
    await terminal.waitFor(/^\+- 71x30, key: right, q ends -+\+$/m);
    await terminal.type("q");
    const after = await terminal.waitFor(/^exit 0$/m);
    assert.doesNotMatch(after, /q ends/);
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest(
  "with -t Ctrl+C is a key for the program, and the terminal is restored at its end",
  async (namespace) => {
    await using terminal = await TmuxTerminal.start(["run", "-t", "-n", namespace.name, BEHAVE, "graceful"]);
    await terminal.waitFor(/^ready$/m);
    await terminal.type("C-c");
    await terminal.waitFor(/^\^?C?got interrupt$[^]*^exit 7$/m);
  },
);

clusterTest("with -t the terminal is restored if the session is lost", async (namespace) => {
  await using terminal = await TmuxTerminal.start(["run", "-it", "--name", "gone", "-n", namespace.name, BEHAVE, "graceful"]);
  await terminal.waitFor(/^ready$/m);
  assert.equal((await KurunProcess.run(["stop", "gone", "-n", namespace.name])).code, 0);
  await terminal.waitFor(/^error: [^\n]+\n([^\n]+\n)*exit 4$/m);
});

clusterTest("without -t Ctrl+C sends SIGINT to the program, and a second one kills it", async (namespace) => {
  await using terminal = await TmuxTerminal.start(["run", "-n", namespace.name, BEHAVE, "stubborn"]);
  await terminal.waitFor(/^ready$/m);
  await terminal.type("C-c");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await terminal.type("C-c");
  await terminal.waitFor(/^(\^C)*exit 137$/m);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("text typed in a terminal is the program's input, and Ctrl+D ends it", async (namespace) => {
  await using terminal = await TmuxTerminal.start(["run", "-n", namespace.name, programFolder("examples/cat/cat.go")]);
  // Text that is typed before the program reads waits in the terminal.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await terminal.type("hello");
  await terminal.type("Enter");
  // The terminal echoes what is typed before the program starts after the progress line.
  await terminal.waitFor(/hello\nhello$/m);
  await terminal.type("C-d");
  await terminal.waitFor(/^6 bytes\n+exit 0$/m);
});

clusterTest("progress is shown while kurun waits, and is erased before the program's first output", async (namespace) => {
  const flags = ["-n", namespace.name, "--requests", "memory=900Gi", "--timeout", "5s"];
  await using pending = await TmuxTerminal.start(["run", ...flags, BEHAVE, "stubborn"]);
  await pending.waitFor(/^Waiting for the Pod: Unschedulable: .*Insufficient memory/m);
  await pending.waitFor(/^exit 125$/m);
  await using running = await TmuxTerminal.start(["run", "-n", namespace.name, BEHAVE, "stubborn"]);
  const screen = await running.waitFor(/^ready$/m);
  assert.equal(screen, "ready");
});
