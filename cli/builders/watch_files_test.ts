import assert from "node:assert/strict";
import { join } from "node:path";
import { FileWatcher, LONGEST_MS, QUIET_MS, Settling } from "./watch_files.ts";
import { GO_NAME } from "./watched_paths.ts";

/** A watch on a.ts and the Go folder pkg of a new folder; its reports must come within five seconds. */
async function watching(test: (folder: string, next: () => Promise<string[]>, watcher: FileWatcher) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  using watcher = new FileWatcher(() => performance.now());
  try {
    await Deno.mkdir(join(folder, "pkg"));
    await Deno.writeTextFile(join(folder, "a.ts"), "1");
    await watcher.watch({ files: new Set([join(folder, "a.ts")]), folders: new Map([[join(folder, "pkg"), GO_NAME]]) });
    const next = async () => (await watcher.next(AbortSignal.timeout(5_000))).map((path) => path.slice(folder.length + 1));
    await test(folder, next, watcher);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a written file is reported once, and its neighbours are not", () =>
  watching(async (folder, next) => {
    await Deno.writeTextFile(join(folder, "b.ts"), "2");
    await Deno.writeTextFile(join(folder, "a.ts"), "2");
    await Deno.writeTextFile(join(folder, "a.ts"), "3");
    assert.deepEqual(await next(), ["a.ts"]);
  }));

Deno.test("a file that an editor replaces by renaming is reported each time", () =>
  watching(async (folder, next) => {
    for (let time = 0; time < 3; time++) {
      await Deno.writeTextFile(join(folder, "a.ts~"), String(time));
      await Deno.rename(join(folder, "a.ts~"), join(folder, "a.ts"));
      assert.deepEqual(await next(), ["a.ts"]);
    }
  }));

Deno.test("new and removed files in a Go package's folder are reported", () =>
  watching(async (folder, next) => {
    await Deno.writeTextFile(join(folder, "pkg/new.go"), "package pkg");
    await Deno.writeTextFile(join(folder, "pkg/new_test.go"), "package pkg");
    assert.deepEqual(await next(), ["pkg/new.go"]);
    await Deno.remove(join(folder, "pkg/new.go"));
    assert.deepEqual(await next(), ["pkg/new.go"]);
  }));

Deno.test("changes between two calls are reported by the next one, also if the watched paths change", () =>
  watching(async (folder, next, watcher) => {
    await Deno.mkdir(join(folder, "more"));
    await Deno.writeTextFile(join(folder, "a.ts"), "2");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await watcher.watch({ files: new Set([join(folder, "a.ts"), join(folder, "more/c.ts")]), folders: new Map() });
    assert.deepEqual(await next(), ["a.ts"]);
    await Deno.writeTextFile(join(folder, "more/c.ts"), "");
    assert.deepEqual(await next(), ["more/c.ts"]);
    await Deno.writeTextFile(join(folder, "a.ts"), "3");
    assert.deepEqual(await next(), ["a.ts"]);
  }));

Deno.test("a new folder is reported where new folders count, and a file elsewhere is not", () =>
  watching(async (folder, next, watcher) => {
    await watcher.watch({ files: new Set(), folders: new Map(), deepFolders: new Set([folder]) });
    await Deno.writeTextFile(join(folder, "b.yaml"), "");
    await Deno.mkdir(join(folder, "new"));
    assert.deepEqual(await next(), ["new"]);
  }));

Deno.test("ready() reports changes without taking them", () =>
  watching(async (folder, next, watcher) => {
    await Deno.writeTextFile(join(folder, "a.ts"), "2");
    await watcher.ready(AbortSignal.timeout(5_000));
    assert.deepEqual(await next(), ["a.ts"]);
  }));

for (const [when, before] of [["at once", true], ["later", false]] as const) {
  Deno.test(`a folder that was removed and made anew ${when} is told, and watched again`, () =>
    watching(async (folder, next, watcher) => {
      // No file of the folder above is watched.
      const paths = { files: new Set<string>(), folders: new Map([[join(folder, "pkg"), GO_NAME]]) };
      await watcher.watch(paths);
      const changed = async (path: string) => {
        while (!(await next()).includes(path));
      };
      await Deno.remove(join(folder, "pkg"), { recursive: true });
      if (before) await Deno.mkdir(join(folder, "pkg"));
      await changed("pkg");
      await watcher.watch(paths);
      if (!before) {
        await Deno.mkdir(join(folder, "pkg"));
        await changed("pkg");
        await watcher.watch(paths);
      }
      await Deno.writeTextFile(join(folder, "pkg/new.go"), "");
      await changed("pkg/new.go");
    }));
}

Deno.test("reading a file is not a change, and waiting ends with the signal's reason", () =>
  watching(async (folder, _next, watcher) => {
    await Deno.readTextFile(join(folder, "a.ts"));
    const ending = new AbortController();
    setTimeout(() => ending.abort(new Error("enough")), 300);
    await assert.rejects(watcher.next(ending.signal), { message: "enough" });
  }));

Deno.test("there is nothing to wait for before the first change, or after changes were taken", () => {
  const changes = new Settling();
  assert.equal(changes.wait(0), undefined);
  changes.add("a", 10);
  changes.take();
  assert.equal(changes.wait(10), undefined);
});

Deno.test("changes are complete after a quiet time, and each file is reported once", () => {
  const changes = new Settling();
  changes.add("b", 1_000);
  changes.add("a", 1_010);
  changes.add("b", 1_020);
  assert.equal(changes.wait(1_020), QUIET_MS);
  assert.equal(changes.wait(1_020 + QUIET_MS - 1), 1);
  assert.equal(changes.wait(1_020 + QUIET_MS), 0);
  assert.deepEqual(changes.take(), ["b", "a"]);
  changes.add("c", 5_000);
  assert.deepEqual(changes.take(), ["c"]);
});

Deno.test("changes that never stop are still reported, and the next ones wait again", () => {
  const changes = new Settling();
  for (let now = 0; now < LONGEST_MS; now += QUIET_MS / 2) {
    changes.add("log", now);
    assert.ok(changes.wait(now), `over at ${now}`);
  }
  changes.add("log", LONGEST_MS);
  assert.equal(changes.wait(LONGEST_MS), 0);
  changes.take();
  changes.add("log", LONGEST_MS + 1);
  assert.equal(changes.wait(LONGEST_MS + 1), QUIET_MS);
});
