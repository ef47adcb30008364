/**
 * An API server without TLS, for tests of `pods/NAME/portforward`: its Pods' ports are those of this machine.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";

/** Passes messages on as containerd does: each when it is complete, by channels of `v4.channel.k8s.io`. */
export class PortForwardServer implements AsyncDisposable {
  /** The paths of all requests, in their order. */
  readonly asked: string[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #webSockets = new WebSocketServer({
    server: this.#server,
    handleProtocols: (offered) => [...offered][0] ?? false,
    verifyClient: ({ req: { url = "" } }, done) => done(url.includes("/portforward?"), 503, "no route"),
  });
  readonly #answered: (path: string) => unknown;
  #port: number;

  private constructor(port: number, answered: (path: string) => unknown) {
    this.#port = port;
    this.#answered = answered;
    this.#webSockets.on("connection", (socket, request) => {
      this.asked.push(request.url ?? "");
      this.#forward(socket);
    });
  }

  /** @param port what each Pod's port leads to @param answered the events of a watch, or the answer to any other request; 503 if undefined */
  static async listen(port: number, answered: (path: string) => unknown): Promise<PortForwardServer> {
    const server = new PortForwardServer(port, answered);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.asked.push(path);
    const answer = this.#answered(path);
    response.writeHead(answer === undefined ? 503 : 200, { "content-type": "application/json" });
    for (const line of [answer ?? { kind: "Status", message: "no route", code: 503 }].flat()) response.write(JSON.stringify(line) + "\n");
    // A watch stays open.
    if (!path.includes("watch=true")) response.end();
  }

  #forward(socket: WebSocket): void {
    const send = (channel: number, bytes: Uint8Array) => socket.send(new Uint8Array([channel, ...bytes]));
    for (const channel of [0, 1]) send(channel, new Uint8Array([this.#port & 0xff, this.#port >> 8]));
    const port = connect(this.#port, "127.0.0.1");
    port.on("data", (bytes: Buffer) => send(0, bytes));
    port.on("error", (error) => send(1, new TextEncoder().encode(`error forwarding port: ${error.message}`)));
    port.on("close", () => socket.close());
    socket.on("message", (message: Buffer) => port.write(message.subarray(1)));
    socket.on("close", () => port.destroy());
    socket.on("error", () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#webSockets.clients) client.terminate();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
