import { CONTROL_PORT, type ServedPort } from "../objects/session_objects.ts";

/** A port of a Service, as the API has it. */
export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  /** A number, or the name that a Pod gives one of its ports; the port itself where it is left out. */
  readonly targetPort?: number | string;
  /** @default {"TCP"} */
  readonly protocol?: string;
}

/** The first number for a port that the Service asks for by name: any would do, and the original's is known to people. */
const FIRST_NAMED = 8444;

/**
 * Where our Pod must serve each TCP port of a Service that it joins, so that the Service need not change. A target that has a name gets
 * a number of ours, which no other target has.
 * @param headless callers dial the Pod itself, with the port that they know: no number is translated for them
 */
export function joinedPorts(ports: readonly ServicePort[], headless: boolean): ServedPort[] {
  const tcp = ports.filter(isTcp);
  const taken = new Set([CONTROL_PORT, ...tcp.map(({ port, targetPort }) => typeof targetPort === "string" ? 0 : targetPort ?? port)]);
  const numbers = new Map<string, number>();
  return tcp.map(({ name, port, targetPort = port }) => {
    if (typeof targetPort === "number") return { ...named(name), port: headless ? targetPort : port, targetPort };
    const number = numbers.get(targetPort) ?? (headless ? port : nextFree(taken));
    numbers.set(targetPort, number);
    return { ...named(name), port, targetPort: number, targetName: targetPort };
  });
}

/** The ports that kurun does not serve, as `53/UDP`. */
export function unservedPorts(ports: readonly ServicePort[]): string[] {
  return ports.filter((port) => !isTcp(port)).map(({ port, protocol }) => `${port}/${protocol}`);
}

function isTcp({ protocol = "TCP" }: ServicePort): boolean {
  return protocol === "TCP";
}

function named(name: string | undefined): { name?: string } {
  return name ? { name } : {};
}

function nextFree(taken: Set<number>): number {
  let number = FIRST_NAMED;
  while (taken.has(number)) number++;
  taken.add(number);
  return number;
}
