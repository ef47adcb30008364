import { deepStrictEqual as same, match, rejects, strictEqual as equal } from "node:assert/strict";
import { ImageError } from "../images/image_error.ts";
import { fromFile, registryCredentials } from "./registry_credentials.ts";

const auth = (text: string) => btoa(text);
const signal = new AbortController().signal;

/** A home folder with these files, and programs in its bin folder. */
async function withHome(
  files: Record<string, string>,
  use: (home: string, options: (registry?: string) => Parameters<typeof registryCredentials>[2]) => Promise<void>,
) {
  const home = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = `${home}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text);
      if (name.startsWith("bin/")) await Deno.chmod(path, 0o755);
    }
    const helperEnv = { PATH: `${home}/bin:${Deno.env.get("PATH")}`, HOME: home };
    await use(home, () => ({ env: () => undefined, home, signal, helperEnv }));
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("fromFile() finds a registry under every key that docker login has used", () => {
  const find = (key: string, registry: string, path = "me") => fromFile({ auths: { [key]: { auth: auth("a:b:c") } } }, registry, path, "f");
  const expected = { username: "a", password: "b:c", from: "f" };
  for (const key of ["registry.example", "https://registry.example", "https://registry.example/v1/", "https://registry.example/v2/"]) {
    same(find(key, "registry.example"), expected, key);
  }
  same(find("https://index.docker.io/v1/", "docker.io"), expected);
  equal(find("registry.example", "registry.example:5000"), undefined);
  equal(find("other.example", "registry.example"), undefined);
  // podman's entries for a part of a registry; the longest counts.
  same(find("registry.example/me", "registry.example", "me/app"), expected);
  equal(find("registry.example/me", "registry.example", "you"), undefined);
  const auths = { "registry.example": { auth: auth("all:x") }, "registry.example/me": { auth: auth("part:y") } };
  equal(fromFile({ auths }, "registry.example", "me", "f")?.username, "part");
  equal(fromFile({ auths }, "registry.example", "you", "f")?.username, "all");
});

Deno.test("fromFile() reads plain fields and identity tokens, and skips empty entries", () => {
  const find = (entry: Record<string, string>) => fromFile({ auths: { "r.example": entry } }, "r.example", "me", "f");
  same(find({ username: "a", password: "b" }), { username: "a", password: "b", from: "f" });
  same(find({ auth: auth("a:"), identitytoken: "t" }), { username: "a", password: "", identityToken: "t", from: "f" });
  for (const entry of [{}, { auth: "" }, { auth: "%%%" }, { auth: auth("nocolon") }]) {
    equal(find(entry as Record<string, string>), undefined);
  }
});

const HELPER = `#!/bin/sh
echo "$@" >> "$HOME/arguments"
read registry
case "$registry" in
  registry.example) echo '{"ServerURL":"registry.example","Username":"me","Secret":"from-helper"}' ;;
  token.example) echo '{"Username":"<token>","Secret":"refresh"}' ;;
  broken.example) echo "the keychain is locked" >&2; exit 1 ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
`;

Deno.test("a credential helper is asked by its protocol, with get as its only argument", async () => {
  const config = JSON.stringify({ credHelpers: { "registry.example": "mine", "token.example": "mine", "broken.example": "mine" } });
  await withHome({ ".docker/config.json": config, "bin/docker-credential-mine": HELPER }, async (home, options) => {
    same(await registryCredentials("registry.example", "me", options()), {
      username: "me",
      password: "from-helper",
      from: "docker-credential-mine",
    });
    same(await registryCredentials("token.example", "me", options()), {
      username: "",
      password: "",
      identityToken: "refresh",
      from: "docker-credential-mine",
    });
    await rejects(
      registryCredentials("broken.example", "me", options()),
      /docker-credential-mine get, for broken\.example, .*the keychain is locked/,
    );
    equal(await registryCredentials("other.example", "me", options()), undefined);
    equal(await Deno.readTextFile(`${home}/arguments`), "get\nget\nget\n");
  });
});

Deno.test("credsStore is asked for every registry, then the file", async () => {
  const config = JSON.stringify({ credsStore: "mine", auths: { "registry.example": {}, "file.example": { auth: auth("a:b") } } });
  await withHome({ ".docker/config.json": config, "bin/docker-credential-mine": HELPER }, async (_, options) => {
    equal((await registryCredentials("registry.example", "me", options()))?.password, "from-helper");
    equal((await registryCredentials("file.example", "me", options()))?.password, "b");
  });
});

Deno.test("podman's file is read after Docker's", async () => {
  const podman = JSON.stringify({ auths: { "registry.example": { auth: auth("podman:x") }, "both.example": { auth: auth("podman:x") } } });
  const docker = JSON.stringify({ auths: { "both.example": { auth: auth("docker:x") } } });
  await withHome({ ".docker/config.json": docker, ".config/containers/auth.json": podman }, async (_, options) => {
    equal((await registryCredentials("registry.example", "me", options()))?.username, "podman");
    equal((await registryCredentials("both.example", "me", options()))?.username, "docker");
  });
});

Deno.test("a config that is not JSON, and a helper that is missing, broken or strangely named, are reported by name and without a secret", async () => {
  await withHome({ ".docker/config.json": '{"auths": {"r.example": {"auth": "c2VjcmV0OnNlY3JldA=="' }, async (home, options) => {
    const error = await registryCredentials("r.example", "me", options()).then(() => undefined, (error) => error);
    equal(error instanceof ImageError, true);
    equal(error.message, `${home}/.docker/config.json is not a JSON object: run docker login again, or repair the file`);
  });
  const config = JSON.stringify({ credHelpers: { "a.example": "not-there", "b.example": "../evil" } });
  await withHome({ ".docker/config.json": config }, async (_, options) => {
    await rejects(registryCredentials("a.example", "me", options()), /docker-credential-not-there, which is not in PATH/);
    const error = await registryCredentials("b.example", "me", options()).then(() => undefined, (error) => error);
    match(error.message, /"\.\.\/evil" .* not the name of a credential helper/);
  });
});

Deno.test("explicit nulls count as absent, in a config and in a helper's answer", async () => {
  const files = {
    ".docker/config.json": '{"auths": null, "credHelpers": null, "credsStore": "null"}',
    "bin/docker-credential-null": "#!/bin/sh\necho null\n",
  };
  await withHome(files, async (_, options) => equal(await registryCredentials("r.example", "me", options()), undefined));
});
