import assert from "node:assert/strict";
import { join } from "node:path";
import { ManifestError } from "../../k8s/manifests/manifest_error.ts";
import { readManifestFiles } from "./manifest_files.ts";

/** Reads the manifests `names` in a folder with these files. */
async function read(
  files: Record<string, string | Uint8Array>,
  names: string[],
  { recursive = false, stdin = "" } = {},
): Promise<{ name: string; text: string; folder: string | undefined }[]> {
  return await readFolder(files, () => {}, names, { recursive, stdin });
}

/** The same, after `prepare` has changed the folder. */
async function readFolder(
  files: Record<string, string | Uint8Array>,
  prepare: (folder: string) => void,
  names: string[],
  { recursive = false, stdin = "" } = {},
): Promise<{ name: string; text: string; folder: string | undefined }[]> {
  const cwd = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(join(cwd, name, ".."), { recursive: true });
      await Deno.writeFile(join(cwd, name), typeof text === "string" ? new TextEncoder().encode(text) : text);
    }
    prepare(cwd);
    const { files: found, problems } = await readManifestFiles({
      names,
      recursive,
      cwd,
      stdin: () => Promise.resolve(new TextEncoder().encode(stdin)),
      command: "kurun apply -f -",
      signal: new AbortController().signal,
    });
    if (problems.length > 0) throw new ManifestError(problems);
    return found.map(({ name, text, folder }) => ({ name, text, folder: folder?.replace(cwd, ".") }));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

async function problemsOf(reading: Promise<unknown>): Promise<string[]> {
  const error = await reading.then(() => assert.fail("nothing is wrong"), (error) => error);
  assert.ok(error instanceof ManifestError, String(error));
  return error.message.split("\n");
}

const FILES = { "k8s/b.yaml": "b", "k8s/a.yml": "a", "k8s/c.json": "{}", "k8s/notes.txt": "no", "k8s/deep/d.yaml": "d", "other.txt": "o" };

Deno.test("a folder's manifests are read in the order of their names, nested folders only with -R", async () => {
  assert.deepEqual((await read(FILES, ["k8s"])).map(({ name }) => name), ["k8s/a.yml", "k8s/b.yaml", "k8s/c.json"]);
  assert.deepEqual((await read(FILES, ["k8s/"], { recursive: true })).map(({ name, folder }) => [name, folder]), [
    ["k8s/a.yml", "./k8s"],
    ["k8s/b.yaml", "./k8s"],
    ["k8s/c.json", "./k8s"],
    ["k8s/deep/d.yaml", "./k8s/deep"],
  ]);
});

Deno.test("dangling links, such as Emacs's locks, are skipped, and links to folders are not followed", async () => {
  const link = (cwd: string) => {
    Deno.symlinkSync("jane@laptop.1234:5678", join(cwd, "k8s/.#b.yaml"));
    Deno.symlinkSync("..", join(cwd, "k8s/deep/up"));
    Deno.symlinkSync("deep", join(cwd, "k8s/folder.yaml"));
    Deno.symlinkSync("b.yaml", join(cwd, "k8s/link.yaml"));
  };
  const found = await readFolder(FILES, link, ["k8s"], { recursive: true });
  assert.deepEqual(found.map(({ name }) => name), ["k8s/a.yml", "k8s/b.yaml", "k8s/c.json", "k8s/deep/d.yaml", "k8s/link.yaml"]);
});

Deno.test("a named file is read whatever its extension, and standard input belongs to the current folder", async () => {
  assert.deepEqual(await read(FILES, ["other.txt", "-"], { stdin: "\ufeffin\r\n" }), [
    { name: "other.txt", text: "o", folder: "." },
    { name: "stdin", text: "\ufeffin\r\n", folder: "." },
  ]);
});

Deno.test("UTF-16 is read if it has a byte order mark", async () => {
  const le = new Uint8Array([0xff, 0xfe, 0x61, 0, 0xe9, 0]);
  const be = new Uint8Array([0xfe, 0xff, 0, 0x61, 0, 0xe9]);
  const found = await read({ "le.yaml": le, "be.yaml": be }, ["le.yaml", "be.yaml"]);
  assert.deepEqual(found.map(({ text }) => text), ["\ufeffaé", "\ufeffaé"]);
});

Deno.test("a kustomization is refused with what to do instead", async () => {
  const files = { "k8s/kustomization.yaml": "resources: [a.yaml]\n", "k8s/a.yaml": "a" };
  for (const name of ["k8s", "k8s/kustomization.yaml"]) {
    assert.deepEqual(await problemsOf(read(files, [name])), [
      `${name}: this is a kustomization; use what kustomize builds: kubectl kustomize k8s | kurun apply -f -`,
    ]);
  }
});

Deno.test("all unreadable files are reported at once", async () => {
  const files = { ...FILES, "bad.yaml": new Uint8Array([0x61, 0xff, 0xfe]), "empty/x.txt": "" };
  assert.deepEqual(await problemsOf(read(files, ["missing.yaml", "k8s", "bad.yaml", "empty", "http://example.com/x.yaml"])), [
    "missing.yaml: no such file or folder",
    "bad.yaml: it is neither UTF-8 nor, with a byte order mark, UTF-16",
    "empty: there are no .yaml, .yml or .json files in this folder (-R looks deeper)",
    "http://example.com/x.yaml: http:// lets anyone on the network change the manifest: use https://, or download it and check it first",
  ]);
});

Deno.test("a URL on this machine is read and has no folder; other answers are reported", async () => {
  const answers = (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/on") return Response.redirect("http://example.com/x");
    return pathname === "/a.yaml" ? new Response("kind: A\n") : new Response("", { status: 404 });
  };
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answers);
  const base = `http://127.0.0.1:${server.addr.port}`;
  assert.deepEqual(await read({}, [`${base}/a.yaml`]), [{ name: `${base}/a.yaml`, text: "kind: A\n", folder: undefined }]);
  assert.deepEqual(await problemsOf(read({}, [`${base}/none.yaml`])), [`${base}/none.yaml: the answer was 404 Not Found`]);
});
