import { deepStrictEqual as same, match, notStrictEqual as differs, ok, strictEqual as equal } from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { ImageError } from "../../k8s/images/image_error.ts";
import { buildContainerfile, type BuiltImage, findContainerfile } from "./containerfile_builder.ts";

/** A stand-in for docker, podman and buildah. It "builds" by copying a file of the context into a layer and saves images as they do. */
const STAND_IN = `#!/bin/sh
echo "$@" >> "$CALLS"
case "$1" in
  version)
    if test -e "$STATE/silent"; then echo "no daemon" >&2; exit 1; fi ;;
  build)
    echo "builder: $BUILDX_BUILDER" >> "$CALLS"
    while [ $# -gt 1 ]; do case "$1" in --iidfile) cat "$STATE/id" > "$2" ;; esac; shift; done
    test -e "$1/fails" && { echo "step 3 failed" >&2; exit 7; }
    cp "$1/file" "$STATE/file" ;;
  save|push)
    for last in "$@"; do case "$last" in *.tar) archive=\${last#docker-archive:} ;; esac; done
    cd "$STATE" && mkdir -p layer && tar -cf layer/layer.tar file && echo '{"config":{"User":"7"}}' > config.json
    echo '[{"Config":"config.json","RepoTags":null,"Layers":["layer/layer.tar"]}]' > manifest.json
    test -e odd && sh ./odd
    tar -cf "$archive" *.json layer ;;
esac
`;

async function withPrograms(
  programs: readonly string[],
  use: (
    folder: string,
    build: (file: string, before?: BuiltImage) => ReturnType<typeof buildContainerfile>,
    calls: () => Promise<string>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const path of ["bin", "state", "context"]) await Deno.mkdir(`${folder}/${path}`);
    for (const name of programs) {
      await Deno.writeTextFile(`${folder}/bin/${name}`, STAND_IN);
      await Deno.chmod(`${folder}/bin/${name}`, 0o755);
    }
    for (const name of ["tar", "cp", "mkdir", "cat", "rm", "sh"]) await Deno.symlink(await which(name), `${folder}/bin/${name}`);
    const environment = { PATH: `${folder}/bin`, CALLS: `${folder}/calls`, STATE: `${folder}/state` };
    let said = "";
    const build = (file: string, before?: BuiltImage) =>
      buildContainerfile(file, {
        architecture: "arm64",
        layerPath: `${folder}/layers/key`,
        before,
        environment,
        stderr: (text) => said += text,
        signal: new AbortController().signal,
      }).catch((error) => {
        error.message += ` (${said.trim()})`;
        throw error;
      });
    await Deno.writeTextFile(`${folder}/context/Dockerfile`, "FROM scratch\n");
    await Deno.writeTextFile(`${folder}/context/file`, "one");
    await Deno.writeTextFile(`${folder}/state/id`, "sha256:1234\n");
    await use(
      folder,
      build,
      async () => (await Deno.readTextFile(`${folder}/calls`)).replaceAll(/\/\S*\/kurun-containerfile-\w+/g, "WORK"),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function which(program: string): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    if (await Deno.stat(`${folder}/${program}`).then((stat) => stat.isFile, () => false)) return `${folder}/${program}`;
  }
  throw new Error(`there is no ${program} here`);
}

Deno.test("each builder builds a Dockerfile with its folder as context, and its layers and config become the image", async () => {
  const saves: Record<string, string> = {
    docker: "save --output WORK/image.tar sha256:1234",
    podman: "save --format docker-archive --output WORK/image.tar sha256:1234",
    buildah: "push sha256:1234 docker-archive:WORK/image.tar",
  };
  for (const [program, save] of Object.entries(saves)) {
    await withPrograms([program], async (folder, build, calls) => {
      const file = `${folder}/context/Dockerfile`;
      const { image } = await build(file);
      const called = `build --platform linux/arm64 --iidfile WORK/id --file ${file} ${folder}/context\n`;
      // docker save does not find images of another buildx builder.
      equal(await calls(), program === "docker" ? `version\n${called}builder: default\n${save}\n` : `${called}builder: \n${save}\n`);
      same(image.platform, { os: "linux", architecture: "arm64" });
      equal(new TextDecoder().decode(image.config.contents), '{"config":{"User":"7"}}\n');
      equal(image.layers.length, 1);
      const layer = gunzipSync(await Deno.readFile(image.layers[0]?.path ?? ""));
      ok(new TextDecoder().decode(layer).includes("one"));
      await Deno.writeTextFile(`${folder}/context/file`, "two");
      differs((await build(file)).image.manifest.digest, image.manifest.digest);
    });
  }
});

Deno.test("docker is tried before podman, and without any builder there is an error", async () => {
  await withPrograms(["docker", "podman"], async (folder, build, calls) => {
    await build(`${folder}/context/Dockerfile`);
    match(await calls(), /^save --output/m);
  });
  await withPrograms([], async (folder, build) => {
    const error = await build(`${folder}/context/Dockerfile`).then(() => undefined, (error) => error);
    ok(error instanceof ImageError);
    match(error.message, /docker, podman or buildah is needed to build \S+context\/Dockerfile, but none of them is in PATH/);
  });
});

Deno.test("an image with the ID of the last build is not saved again", () =>
  withPrograms(["docker"], async (folder, build, calls) => {
    const file = `${folder}/context/Dockerfile`;
    const first = await build(file);
    equal(await build(file, first), first);
    equal((await calls()).match(/^save/gm)?.length, 1);
    await Deno.writeTextFile(`${folder}/state/id`, "sha256:5678\n");
    differs(await build(file, first), first);
    equal((await calls()).match(/^save/gm)?.length, 2);
  }));

Deno.test("a docker without its daemon is skipped, and named if there is no other builder", async () => {
  await withPrograms(["docker", "podman"], async (folder, build, calls) => {
    await Deno.writeTextFile(`${folder}/state/silent`, "");
    await build(`${folder}/context/Dockerfile`);
    match(await calls(), /^version\nbuild [^]*\nsave --format docker-archive /);
  });
  await withPrograms(["docker"], async (folder, build) => {
    await Deno.writeTextFile(`${folder}/state/silent`, "");
    const error = await build(`${folder}/context/Dockerfile`).then(() => undefined, (error) => error);
    match(error.message, /docker's daemon does not answer/);
  });
});

Deno.test("a failed build is reported with its output", () =>
  withPrograms(["docker"], async (folder, build) => {
    await Deno.writeTextFile(`${folder}/context/fails`, "");
    const error = await build(`${folder}/context/Dockerfile`).then(() => undefined, (error) => error);
    match(error.message, /docker build ended with exit code 7 \(step 3 failed\)/);
  }));

Deno.test("a saved archive that is not one of an image is reported in a sentence", async () => {
  const odd: Record<string, RegExp> = {
    "rm manifest.json": /No such file .*'manifest\.json'/,
    "rm layer/layer.tar": /No such file .*'layer\/layer\.tar'/,
    "rm config.json": /No such file .*'config\.json'/,
    "echo '[]' > manifest.json": /does not name a config and layers/,
    "echo null > manifest.json": /does not name a config and layers/,
    'echo \'[{"Config":"config.json","Layers":[1]}]\' > manifest.json': /does not name a config and layers/,
    "echo oops > manifest.json": /JSON/,
    "rm layer/layer.tar; mkdir layer/layer.tar": /directory/,
  };
  for (const [change, why] of Object.entries(odd)) {
    await withPrograms(["podman"], async (folder, build) => {
      await Deno.writeTextFile(`${folder}/state/odd`, change);
      const error = await build(`${folder}/context/Dockerfile`).then(() => undefined, (error) => error);
      ok(error instanceof ImageError, change);
      match(error.message, /^the image of \S+ cannot be read from the archive that podman saved: .+\nUpdate podman, or remove it/);
      match(error.message, why);
    });
  }
});

Deno.test("findContainerfile() finds the file itself or the one in the folder", () =>
  withPrograms([], async (folder) => {
    equal(await findContainerfile(`${folder}/context`), `${folder}/context/Dockerfile`);
    equal(await findContainerfile(`${folder}/context/Dockerfile`), `${folder}/context/Dockerfile`);
    await Deno.writeTextFile(`${folder}/context/api.Dockerfile`, "");
    equal(await findContainerfile(`${folder}/context/api.Dockerfile`), `${folder}/context/api.Dockerfile`);
    equal(await findContainerfile(`${folder}/context/file`), undefined);
    equal(await findContainerfile(`${folder}/state`), undefined);
  }));
