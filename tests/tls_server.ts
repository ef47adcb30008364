/**
 * A TLS server for HTTP and WebSockets, for tests of clients.
 *
 * @module
 */

import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import type { CertificatePair } from "../k8s/certificate/certificate.ts";

/** How the server behaves. */
export interface TlsServerOptions {
  readonly certificate: CertificatePair;
  /** The CA whose client certificates it demands. */
  readonly clientCa?: string;
  /** Where it listens. @default {"127.0.0.1"} */
  readonly hostname?: string;
}

/** Answers every request with the client's identity and the request, and echoes WebSocket messages. */
export class TlsServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #webSockets: WebSocketServer;
  /** How many connections were accepted. */
  connections = 0;

  private constructor(options: TlsServerOptions) {
    const { certificate, clientCa } = options;
    this.#server = createServer({
      cert: certificate.certPem,
      key: certificate.keyPem,
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    }, (request, response) => {
      const subject = (request.socket as TLSSocket).getPeerCertificate?.()?.subject;
      request.resume().on("end", () => {
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify({ url: request.url, headers: request.headers, client: subject?.CN, group: subject?.O }));
      });
    });
    this.#webSockets = new WebSocketServer({ server: this.#server });
    this.#webSockets.on("connection", (socket, request) => {
      socket.on("error", () => {});
      socket.on("message", (data, isBinary) => {
        socket.send(isBinary ? data : `${request.headers.authorization} sent ${String(data).length}`);
      });
    });
    this.#server.on("connection", (socket: Socket) => {
      this.connections++;
      socket.on("error", () => {});
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("tlsClientError", () => {});
  }

  /** Listens on a free port. */
  static async listen(options: TlsServerOptions): Promise<TlsServer> {
    const server = new TlsServer(options);
    await new Promise<void>((resolve) => server.#server.listen(0, options.hostname ?? "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#webSockets.clients) client.terminate();
    this.#webSockets.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections?.();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
