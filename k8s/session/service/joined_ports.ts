import type { ServicePort } from "../../api/kubernetes_objects.ts";
import { CONTROL_PORT, type ServedPort } from "../objects/session_plan.ts";

/** The first number for a port that the Service refers to by name; any would do. */
const FIRST_NAMED = 8444;

/**
 * Where kurun's Pod must serve each TCP port of a Service that it joins, so that the Service need not change. A target port with a name
 * gets a number that no other target port has.
 *
 * @param headless callers connect to the Pod itself at the port that they know: nothing translates it
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

/** The ports that kurun cannot serve, such as `53/UDP`. */
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
