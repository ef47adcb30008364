import { createHash } from "node:crypto";
import config from "../deno.json" with { type: "json" };
import { writePublishedServer } from "./publish.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const { name: NAME, version: VERSION } = config;

/**
 * A registry that kurun is published to by `deno publish`, with the files and the rewritten imports that JSR would get, and that serves it
 * as JSR does (https://jsr.io/docs/api): only to `JSR_URL`.
 */
export class JsrRegistry implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #folder: string;
  #published: Promise<string> | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => this.#answer(request));
  }

  /** Starts a registry and publishes this checkout to it. */
  static async publish(): Promise<JsrRegistry> {
    await writePublishedServer();
    const registry = new JsrRegistry(await Deno.makeTempDir({ prefix: "kurun-jsr-" }));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      // A token, so that nobody is asked to log in; a working tree may have changes; types are checked by deno task ok.
      args: ["publish", "--token", "none", "--allow-dirty", "--no-check", "--allow-slow-types"],
      cwd: ROOT,
      env: { NO_COLOR: "1", JSR_URL: registry.url },
    }).output();
    if (!success || !registry.#published) throw new Error(`deno publish: ${new TextDecoder().decode(stderr)}`);
    return registry;
  }

  /** The value of JSR_URL. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** The paths of the published files, from the package's root. */
  async files(): Promise<string[]> {
    return Object.keys(await this.#manifest());
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/api/")) return await this.#publish(request);
    if (pathname === `/${NAME}/meta.json`) return Response.json({ name: NAME.slice(1), latest: VERSION, versions: { [VERSION]: {} } });
    if (pathname === `/${NAME}/${VERSION}_meta.json`) {
      return Response.json({ exports: { ".": config.exports }, manifest: await this.#manifest() });
    }
    const path = pathname.replace(`/${NAME}/${VERSION}/`, `${await this.#published}/`);
    const file = await Deno.readFile(path).catch(() => undefined);
    return file ? new Response(file) : new Response("not found", { status: 404 });
  }

  /** The part of the API that `deno publish` uses: it asks for the version and the package, and then sends an archive. */
  async #publish(request: Request): Promise<Response> {
    const aboutVersion = request.url.includes("/versions/");
    if (request.method === "GET") {
      return aboutVersion
        ? Response.json({ code: "packageVersionNotFound", message: "not published" }, { status: 404 })
        : Response.json({ scope: NAME.slice(1).split("/")[0], name: NAME.split("/")[1] });
    }
    await Deno.writeFile(`${this.#folder}/package.tar.gz`, request.body!);
    const unpacked = `${this.#folder}/package`;
    await Deno.mkdir(unpacked);
    const { success } = await new Deno.Command("tar", { args: ["-xzf", `${this.#folder}/package.tar.gz`, "-C", unpacked] }).output();
    if (!success) throw new Error("the published archive cannot be unpacked");
    this.#published = Promise.resolve(unpacked);
    return Response.json({ id: "1", status: "success" });
  }

  /** Each file with its size and digest. Deno refuses a file that differs. */
  async #manifest(folder = ""): Promise<Record<string, { size: number; checksum: string }>> {
    const manifest: Record<string, { size: number; checksum: string }> = {};
    for await (const { name, isDirectory } of Deno.readDir(`${await this.#published}${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory) {
        Object.assign(manifest, await this.#manifest(path));
        continue;
      }
      const file = await Deno.readFile(`${await this.#published}${path}`);
      manifest[path] = { size: file.length, checksum: `sha256-${createHash("sha256").update(file).digest("hex")}` };
    }
    return manifest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
