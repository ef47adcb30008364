import { SeededRandom } from "../seeded_random.ts";

/** Something that can happen to the cluster, or to kurun, while the tests run. */
export interface Action {
  readonly name: string;
  /** How often it happens, compared with the others. */
  readonly weight: number;
  /** Makes it happen, and ends it. @returns what was hit */
  readonly run: (turn: Pick<Turn, "choice" | "ms">) => Promise<string>;
}

/** One thing that happens. */
export interface Turn {
  readonly action: Action;
  /** From 0 to 1: which of the Pods, or processes, that exist at this time. */
  readonly choice: number;
  /** How long it lasts, in milliseconds. */
  readonly ms: number;
}

/** Nothing lasts longer, so that it is over before the next turn. */
const LONGEST_MS = 3_500;
const SHORTEST_MS = 500;
/** Consecutive seeds begin this many files apart, fewer than a run of 20 minutes gets through, so that no file is left out. */
const FILES_BETWEEN_SEEDS = 13;

/** What happens, turn by turn: it depends on the seed alone. */
export function* turns(seed: number, actions: readonly Action[]): Generator<Turn, never> {
  const random = new SeededRandom(seed);
  const lots = actions.flatMap((action) => Array<Action>(action.weight).fill(action));
  for (;;) {
    const action = random.pick(lots);
    yield { action, choice: random.next(), ms: SHORTEST_MS + random.below(LONGEST_MS - SHORTEST_MS) };
  }
}

/** The files in the order of a run. Each seed begins some files after the one before it, so that runs on consecutive days cover them all. */
export function filesInTurn<T>(seed: number, files: readonly T[]): T[] {
  const first = (seed * FILES_BETWEEN_SEEDS) % files.length;
  return [...files.slice(first), ...files.slice(0, first)];
}
