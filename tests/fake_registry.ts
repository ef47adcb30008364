/**
 * A registry in memory for tests (OCI distribution-spec: blobs, mounts, uploads, manifests), which a test may script.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** What a test may change. */
export interface FakeRegistryOptions {
  /** Called first; its answer, if any, is the registry's. */
  readonly before?: ((request: Request, url: URL) => Response | undefined | Promise<Response | undefined>) | undefined;
  /** Whether blobs of other repositories are mounted. @default true */
  readonly mounts?: boolean;
  /** The Location of an upload's first answer. @default a path with a query @param url the request's own */
  readonly location?: (url: URL, id: string) => string;
  /** Makes it speak TLS. PEM. */
  readonly certificate?: { readonly certPem: string; readonly keyPem: string };
}

/** Listens on a free port of 127.0.0.1 until it is disposed. */
export class FakeRegistry implements AsyncDisposable {
  /** `METHOD path?query`, in order. */
  readonly requests: string[] = [];
  /** By `REPOSITORY DIGEST`. */
  readonly blobs = new Map<string, Uint8Array>();
  /** By `REPOSITORY TAG`. */
  readonly manifests = new Map<string, Uint8Array>();
  readonly #uploads = new Map<string, Uint8Array[]>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: FakeRegistryOptions = {}) {
    const { certificate } = options;
    const tls = certificate && { cert: certificate.certPem, key: certificate.keyPem };
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls }, async (request) => {
      const url = new URL(request.url);
      this.requests.push(`${request.method} ${url.pathname}${url.search}`);
      const answer = await options.before?.(request, url) ?? await this.#answer(request, url, options);
      // Unread bytes would be taken for the next request.
      await request.body?.cancel().catch(() => {});
      return answer;
    });
  }

  /** Host and port. */
  get registry(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** The number of requests with a method. */
  count(method: string): number {
    return this.requests.filter((line) => line.startsWith(`${method} `)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request, url: URL, { mounts = true, location }: FakeRegistryOptions): Promise<Response> {
    const { method } = request;
    const [, repository = "", what, name = ""] =
      /^\/v2\/(.+)\/(blobs|manifests|uploads)\/(.*)$/.exec(url.pathname.replace("/blobs/uploads/", "/uploads/")) ??
        [];
    const key = `${repository} ${name}`;
    if (url.pathname === "/v2/") return new Response("{}");
    if (what === "blobs" && method === "HEAD") return new Response(null, { status: this.blobs.has(key) ? 200 : 404 });
    if (what === "uploads" && method === "POST") {
      const [mount, from] = [url.searchParams.get("mount"), url.searchParams.get("from")];
      const mounted = mount !== null && mounts ? this.blobs.get(`${from} ${mount}`) : undefined;
      if (mounted) {
        this.blobs.set(`${repository} ${mount}`, mounted);
        return new Response(null, { status: 201 });
      }
      const id = crypto.randomUUID();
      this.#uploads.set(id, []);
      const place = location?.(url, id) ?? `/v2/${repository}/blobs/uploads/${id}?state=1`;
      return new Response(null, { status: 202, headers: { Location: place } });
    }
    const upload = this.#uploads.get(name);
    if (what === "uploads" && upload) {
      upload.push(new Uint8Array(await request.arrayBuffer()));
      if (method === "PATCH") return new Response(null, { status: 202, headers: { Location: url.pathname + url.search } });
      const bytes = new Uint8Array(await new Blob(upload as Uint8Array<ArrayBuffer>[]).arrayBuffer());
      const digest = digestOf(bytes);
      if (digest !== url.searchParams.get("digest")) {
        return problem(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
      }
      this.blobs.set(`${repository} ${digest}`, bytes);
      return new Response(null, { status: 201 });
    }
    if (what === "manifests") {
      if (method === "PUT") this.manifests.set(key, new Uint8Array(await request.arrayBuffer()));
      const manifest = this.manifests.get(key);
      if (manifest) {
        return new Response(null, { status: method === "PUT" ? 201 : 200, headers: { "Docker-Content-Digest": digestOf(manifest) } });
      }
    }
    return problem(404, "NAME_UNKNOWN", "not found");
  }
}

/** An error as the distribution-spec defines it. */
export function problem(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
