import { down, type Place, up } from "./body_transfer.ts";
import { median, percent, type Row, whole } from "./table.ts";

const TRANSFERS = { down, up };

/** What is transferred, which ways, how often, and the unit of its speed. */
export interface BulkOptions {
  readonly direction: "down" | "up";
  readonly direct: Place;
  readonly through: Place;
  readonly times: number;
  readonly unit: "MB/s" | "Mbit/s";
}

/** One 50 MB body, directly and through kurun in turns. */
export async function bulkRow(what: string, { direction, direct, through, times, unit }: BulkOptions): Promise<Row> {
  const speeds = await compareBodies(direction, { direct, through }, times);
  const show = (bytesPerSecond: number) => `${whole(bytesPerSecond / (unit === "MB/s" ? 1e6 : 1e6 / 8))} ${unit}`;
  return { what, direct: show(speeds.direct), through: show(speeds.through), share: percent(speeds.through, speeds.direct) };
}

/** Transfers a body each way in turns. @returns the medians, in bytes per second */
export async function compareBodies<Name extends string>(
  direction: "down" | "up",
  places: Readonly<Record<Name, Place>>,
  times: number,
): Promise<Record<Name, number>> {
  const runs = Object.entries<Place>(places).map(([name, place]) => ({ name: name as Name, place, speeds: [] as number[] }));
  for (let i = 0; i < times; i++) {
    for (const { place, speeds } of runs) speeds.push(await TRANSFERS[direction](place));
  }
  return Object.fromEntries(runs.map(({ name, speeds }) => [name, median(speeds)])) as Record<Name, number>;
}
