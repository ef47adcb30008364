import { compareBodies } from "./bulk.ts";
import type { Effort } from "./effort.ts";
import type { OtherTunnel } from "./flags.ts";
import { COMPARED_PORT, HELLO } from "./nginx.ts";
import { compareRequests, connectionsText } from "./requests.ts";
import { whole } from "./table.ts";

/** nginx's URL by each way to it, by the way's name, each with a slash at the end: directly, through kurun, and through other tunnels. */
export type Tunnels = Readonly<Record<string, string>>;

/**
 * Checks that another tunnel's Service answers with nginx's page.
 *
 * @throws {TypeError} if it does not
 */
export async function assertAnswers({ name, url }: OtherTunnel): Promise<void> {
  const answer = fetch(url, { signal: AbortSignal.timeout(5_000) }).then((response) => response.text());
  const seen = await answer.then((text) => text === HELLO ? undefined : JSON.stringify(text.slice(0, 200)), reason);
  if (seen === undefined) return;
  throw new TypeError(
    `--with ${name}=${url}: expected the page of the benchmark's nginx, got ${seen}\n` +
      `Start ${name} so that its Service forwards to http://127.0.0.1:${COMPARED_PORT}, in the test cluster's network (deno task cluster exec).`,
  );
}

/** Requests through all tunnels in turns: one cell for each, after the first one that says what it is. */
export async function comparedRequests(tunnels: Tunnels, connections: number, effort: Effort): Promise<string[]> {
  const load = { connections, pairs: effort.times, seconds: effort.shortSeconds };
  const figures = await compareRequests(tunnels, load);
  return [`requests, ${connectionsText(connections)}`, ...Object.keys(tunnels).map((name) => figures[name]!.text)];
}

/** 50 MB bodies through all tunnels in turns. */
export async function comparedBodies(tunnels: Tunnels, direction: "down" | "up", effort: Effort): Promise<string[]> {
  const places = Object.fromEntries(
    Object.entries(tunnels).map(([name, url]) => {
      const { hostname, port } = new URL(url);
      return [name, { hostname, port: Number(port || 80) }];
    }),
  );
  const speeds = await compareBodies(direction, places, effort.bodies);
  return [`50 MB ${direction}`, ...Object.keys(tunnels).map((name) => `${whole(speeds[name]! / 1e6)} MB/s`)];
}

/** Why there was no answer. `fetch` has that in the error's cause. */
function reason({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}
