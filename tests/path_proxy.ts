/**
 * A reverse proxy that serves an API server below a path, as Rancher and Teleport do, for tests.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, isIP, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { CertificatePair } from "../k8s/certificate/certificate.ts";

/** The proxy's target and identity. */
export interface PathProxyOptions {
  readonly certificate: CertificatePair;
  /** The prefix of every path, such as `/k8s/clusters/c-1`; requests without it get 404. */
  readonly path: string;
  /** One for all requests, or one for each. */
  readonly server: URL | (() => URL);
  /** PEM. */
  readonly serverCa: string;
  /** Headers that it adds to each answer, or replaces. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it passes Upgrade on. @default {true} */
  readonly webSockets?: boolean;
}

/** Forwards requests and WebSockets to the API server, with its own prefix removed from the path. */
export class PathProxy implements AsyncDisposable {
  /** All requests: the method or "UPGRADE", and the requested path. */
  readonly asked: string[] = [];
  readonly #options: PathProxyOptions;
  readonly #server: Server;
  readonly #client: Deno.HttpClient;
  readonly #sockets = new Set<Socket>();

  private constructor(options: PathProxyOptions) {
    this.#options = options;
    this.#client = Deno.createHttpClient({ caCerts: [options.serverCa] });
    this.#server = createServer({ cert: options.certificate.certPem, key: options.certificate.keyPem });
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#request(request, response));
    if (options.webSockets !== false) {
      this.#server.on("upgrade", (request: IncomingMessage, socket: Socket) => this.#upgrade(request, socket));
    }
    this.#server.on("connection", (socket: Socket) => this.#keep(socket));
    this.#server.on("tlsClientError", () => {});
  }

  /** Listens on a free port. */
  static async listen(options: PathProxyOptions): Promise<PathProxy> {
    const proxy = new PathProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#options.path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections?.();
    this.#client.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked.push(`${request.method} ${request.url}`);
    const path = this.#inside(request);
    if (path === undefined) return void response.writeHead(404).end("404 page not found\n");
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { host: _host, connection: _connection, upgrade: _upgrade, "content-length": _length, ...headers } = request.headers;
      const answer = await fetch(new URL(path, this.#target()), {
        method: request.method ?? "GET",
        headers: Object.entries({ ...headers, "accept-encoding": "identity" }).map(([name, value]) => [name, String(value)]),
        ...(chunks.length === 0 ? {} : { body: new Blob(chunks as BlobPart[]) }),
        client: this.#client,
        signal: gone.signal,
      });
      response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...this.#options.headers });
      if (answer.body) { for await (const chunk of answer.body) response.write(chunk); }
      response.end();
    } catch {
      response.destroy();
    }
  }

  #upgrade(request: IncomingMessage, socket: Socket): void {
    this.asked.push(`UPGRADE ${request.url}`);
    const path = this.#inside(request);
    if (path === undefined) return void socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const server = this.#target();
    const { serverCa: ca } = this.#options;
    const onward = tlsConnect({
      host: server.hostname,
      port: Number(server.port || 443),
      ca,
      ...(isIP(server.hostname) ? {} : { servername: server.hostname }),
    });
    this.#keep(onward);
    const headers = Object.entries({ ...request.headers, host: server.host }).map(([name, value]) => `${name}: ${value}\r\n`);
    onward.write(`GET ${path} HTTP/1.1\r\n${headers.join("")}\r\n`);
    onward.pipe(socket);
    socket.pipe(onward);
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
  }

  /** The path for the API server. */
  #inside(request: IncomingMessage): string | undefined {
    const { path } = this.#options;
    return request.url?.startsWith(`${path}/`) ? request.url.slice(path.length) : undefined;
  }

  #target(): URL {
    const { server } = this.#options;
    return typeof server === "function" ? server() : server;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
