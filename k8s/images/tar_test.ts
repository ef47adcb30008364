import { deepStrictEqual as same, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { tar, type TarEntry } from "./tar.ts";

/** Where tar is GNU's: others list archives differently. */
const linux = { ignore: Deno.build.os !== "linux" };

async function packed(entries: TarEntry[]): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(tar(entries))).arrayBuffer());
}

/** Runs the system's tar, which was written by others than us. */
async function systemTar(archive: Uint8Array, ...args: string[]): Promise<string> {
  const child = new Deno.Command("tar", { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(archive);
  await writer.close();
  const { success, stdout, stderr } = await output;
  const text = new TextDecoder();
  equal(text.decode(stderr), "");
  ok(success);
  return text.decode(stdout);
}

const hello = new TextEncoder().encode("hello\n");

Deno.test("tar() writes what the system's tar lists: types, modes, owners, sizes, names", linux, async () => {
  const archive = await packed([
    { type: "directory", path: "tmp", mode: 0o1777 },
    { type: "file", path: "tmp/hello", contents: hello, mode: 0o640 },
    { type: "symlink", path: "tmp/link", target: "hello" },
  ]);
  const lines = (await systemTar(archive, "-tvf", "-", "--numeric-owner", "--utc", "--full-time")).trim().split("\n");
  same(lines.map((line) => line.replace(/\s+/g, " ")), [
    "drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/",
    "-rw-r----- 0/0 6 1970-01-01 00:00:00 tmp/hello",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 tmp/link -> hello",
  ]);
});

Deno.test("tar() writes POSIX ustar headers with the right checksum, and ends with two empty blocks", async () => {
  const archive = await packed([{ type: "file", path: "hello", contents: hello }]);
  equal(archive.length, 512 + 512 + 1024);
  const header = archive.slice(0, 512);
  equal(new TextDecoder().decode(header.subarray(257, 265)), "ustar\x0000");
  const stated = parseInt(new TextDecoder().decode(header.subarray(148, 154)), 8);
  header.fill(0x20, 148, 156);
  equal(stated, header.reduce((sum, byte) => sum + byte, 0));
  ok(archive.subarray(1024).every((byte) => byte === 0));
});

Deno.test("tar() keeps names of every length, with the prefix or with pax", linux, async () => {
  const paths = ["", "/"].flatMap((slash) =>
    [98, 99, 100, 101, 102, 155, 156, 157, 200, 255, 256, 257, 300, 984, 985, 986, 987, 4000].map((length) => {
      const path = slash === "" ? "x".repeat(length) : "directory/".repeat(400).slice(0, length - 1) + "y";
      return path.replace("/y", "zy");
    })
  );
  paths.push("ünïcode/日本語.txt", `${"p".repeat(155)}/${"n".repeat(100)}`, `${"p".repeat(156)}/${"n".repeat(100)}`);
  const archive = await packed(paths.map((path) => ({ type: "file", path, contents: hello })));
  same((await systemTar(archive, "-tf", "-", "--quoting-style=literal")).trim().split("\n"), paths);
});

Deno.test("tar() keeps long directories and link targets", linux, async () => {
  const target = "../".repeat(60) + "target";
  const directory = `${"d".repeat(99)}/${"e".repeat(99)}`;
  const archive = await packed([
    { type: "directory", path: directory },
    { type: "symlink", path: `${"l".repeat(101)}`, target },
  ]);
  const listing = await systemTar(archive, "-tvf", "-");
  ok(listing.includes(`${directory}/\n`));
  ok(listing.includes(`${"l".repeat(101)} -> ${target}\n`));
});

Deno.test("tar() copies a file of this machine piece by piece", async () => {
  const path = await Deno.makeTempFile();
  try {
    const contents = new Uint8Array(700_001).map((_, index) => index % 251);
    await Deno.writeFile(path, contents);
    let longest = 0;
    const pieces: Uint8Array[] = [];
    for await (const piece of tar([{ type: "file", path: "big", contents: { copyOf: path } }])) {
      longest = Math.max(longest, piece.length);
      pieces.push(piece);
    }
    ok(longest <= 256 * 1024, `a piece of ${longest} bytes`);
    same(
      new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()),
      await packed([{ type: "file", path: "big", contents }]),
    );
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("tar() fails if a copied file changes its size while it is packed", async () => {
  // Larger than what is read ahead (8 MiB), so that the change comes while the file is being read.
  const bytes = 24 * 1024 * 1024;
  for (const later of [3, 2 * bytes]) {
    const path = await Deno.makeTempFile();
    try {
      await Deno.truncate(path, bytes);
      const pieces = tar([{ type: "file", path: "f", contents: { copyOf: path } }]);
      await pieces.next();
      await Deno.truncate(path, later);
      await rejects(
        async () => {
          for await (const _ of pieces);
        },
        { name: "ImageError", message: /it had 25165824 bytes, then (\d+|more)$/ },
      );
    } finally {
      await Deno.remove(path);
    }
  }
});

Deno.test("tar() gives the same bytes for the same entries", async () => {
  const entries: TarEntry[] = [{ type: "directory", path: "a" }, { type: "file", path: "a/b", contents: hello }];
  same(await packed(entries), await packed(entries));
});

Deno.test("tar() refuses paths that would leave the archive", async () => {
  for (const path of ["", "/etc", "a/../b", "./a", "a//b", "a/", "a\0b"]) {
    await rejects(packed([{ type: "directory", path }]), TypeError, path);
  }
});
