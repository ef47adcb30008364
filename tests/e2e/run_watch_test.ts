import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { programFolder } from "./run_process.ts";
import { TmuxTerminal } from "./tmux_terminal.ts";

/** A program that prints a word once its input has ended, and then sleeps. */
class WordProgram implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync();

  async write(word: string): Promise<void> {
    const imports = `import ("fmt"; "io"; "os"; "time")`;
    const main = `io.Copy(io.Discard, os.Stdin); h, _ := os.Hostname(); fmt.Println("${word}", h); time.Sleep(time.Hour)`;
    await Deno.writeTextFile(`${this.folder}/main.go`, `package main\n${imports}\nfunc main() { ${main} }\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

clusterTest("--watch replaces the program in the same Pod and keeps the last one while a build fails", async (namespace) => {
  await using program = new WordProgram();
  await Deno.writeTextFile(`${program.folder}/go.mod`, "module kurun.example/watched\ngo 1.21\n");
  await program.write("one");
  const kurun = KurunProcess.start(["run", "-n", namespace.name, "--watch", "--name", "watched", `${program.folder}/main.go`]);
  await kurun.waitFor(/one watched\n/);
  await program.write("two");
  await kurun.waitFor(/two watched\n/);
  await program.write(`three" broken`);
  await kurun.waitFor(/syntax error[^]*the previous program keeps running\n/);
  await program.write("four");
  await kurun.waitFor(/four watched\n/);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 130);
  assert.equal(kurun.stdout, "one watched\ntwo watched\nfour watched\n");
  assert.match(kurun.stderr, /main\.go changed: building\n/);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("with --watch a file that is saved while the Pod starts is built, and a build is removed once it runs", async (namespace) => {
  await using program = new WordProgram();
  await program.write("one");
  const TMPDIR = await Deno.makeTempDir();
  const builds = () => Array.from(Deno.readDirSync(TMPDIR), ({ name }) => name).filter((name) => name.startsWith("kurun-build-"));
  await using kurun = KurunProcess.start(["run", "-n", namespace.name, "--watch", "--name", "early", `${program.folder}/main.go`], {
    TMPDIR,
  });
  const waitUntil = async (what: () => boolean) => {
    const until = performance.now() + 60_000;
    while (!what()) {
      assert.ok(performance.now() < until, kurun.stderr);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  // The linker writes it, so all source has been read.
  await waitUntil(() => builds().some((name) => Array.from(Deno.readDirSync(`${TMPDIR}/${name}`)).some((file) => file.name === "program")));
  await program.write("two");
  await kurun.waitFor(/two early\n/);
  await waitUntil(() => builds().length === 0);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 130);
  await Deno.remove(TMPDIR, { recursive: true });
});

clusterTest("with -t and --watch the terminal is not raw while no program runs, and Ctrl+C ends kurun", async (namespace) => {
  const behave = programFolder("tests/programs/behave");
  await using terminal = await TmuxTerminal.start(["run", "-it", "--watch", "-n", namespace.name, behave, "exit", "3"]);
  await terminal.waitFor(/^The program ended with exit code 3: waiting for a change$/m);
  await terminal.type("C-c");
  await terminal.waitFor(/^(\^C)?exit 3$/m);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("--watch waits for a change if the first build fails", async (namespace) => {
  await using program = new WordProgram();
  await program.write(`one" broken`);
  const kurun = KurunProcess.start(["run", "-n", namespace.name, "--watch", `${program.folder}/main.go`]);
  await kurun.waitFor(/syntax error[^]*error: go build failed [^]*Waiting for a change\n/);
  await program.write("two");
  await kurun.waitFor(/two \S+\n/);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 130);
  await program.write(`three" broken`);
  const interrupted = KurunProcess.start(["run", "-n", namespace.name, "--watch", `${program.folder}/main.go`]);
  await interrupted.waitFor(/Waiting for a change\n/);
  interrupted.signal("SIGINT");
  assert.equal(await interrupted.exit, 130);
  assert.deepEqual(await namespace.left(), []);
});
