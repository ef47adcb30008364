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
  const [without, across]: [number[], number[]] = [[], []];
  for (let i = 0; i < times; i++) {
    without.push(await TRANSFERS[direction](direct));
    across.push(await TRANSFERS[direction](through));
  }
  const show = (bytesPerSecond: number) => `${whole(bytesPerSecond / (unit === "MB/s" ? 1e6 : 1e6 / 8))} ${unit}`;
  return { what, direct: show(median(without)), through: show(median(across)), share: percent(median(across), median(without)) };
}
