/** What the strings are that globs are compared over. */
export interface StringRules {
  readonly minLength: number;
  readonly maxLength: number;
  /** What the first and the last character must be, if there is one. */
  readonly edge?: RegExp;
}

/** How many places of globs are visited at most: those that people write need some thousands, but another session's are anybody's. */
const MAX_PLACES = 300_000;

/** A character that every kind of string may have, for what a `*` stands for. */
const FILLER = "x";

/**
 * A shortest string that one glob of each list matches.
 *
 * @returns undefined if there is none, "undecided" if that would take too long to find out
 */
export function commonString(lists: readonly (readonly string[])[], rules: StringRules): { text: string } | "undecided" | undefined {
  const { minLength, maxLength, edge = /^/ } = rules;
  const automata = lists.map((globs) => new Globs(globs));
  let level = [{ text: "", last: "", states: automata.map((globs) => globs.start()) }];
  const seen = new Set<string>();
  let places = 0;
  for (let length = 0; length <= maxLength && level.length > 0; length++) {
    const ends = level.find(({ last, states }) =>
      length >= minLength && (length === 0 || edge.test(last)) && states.every((state, index) => automata[index]?.isEnd(state))
    );
    if (ends) return { text: ends.text };
    const next: typeof level = [];
    for (const { text, states } of level) {
      const letters = new Set([FILLER, ...states.flatMap((state, index) => automata[index]?.letters(state) ?? [])]);
      for (const last of letters) {
        if (length === 0 && !edge.test(last)) continue;
        const after = states.map((state, index) => automata[index]?.step(state, last) ?? []);
        places += after.flat().length;
        if (places > MAX_PLACES) return "undecided";
        const key = `${length < minLength} ${edge.test(last)} ${after.join(" ")}`;
        if (after.some((state) => state.length === 0) || seen.has(key)) continue;
        seen.add(key);
        next.push({ text: text + last, last, states: after });
      }
    }
    level = next;
  }
  return undefined;
}

/** A list of globs as an automaton. A state is the places in the globs that may have been reached, in order. */
class Globs {
  /** The characters of all globs, each glob with an end. */
  readonly #places: readonly (string | undefined)[];
  readonly #starts: readonly number[];

  constructor(globs: readonly string[]) {
    const places: (string | undefined)[] = [];
    this.#starts = globs.map((glob) => places.push(...glob, undefined) - [...glob].length - 1);
    this.#places = places;
  }

  start(): number[] {
    return this.#reach(this.#starts);
  }

  step(state: readonly number[], letter: string): number[] {
    return this.#reach(state.flatMap((place) => {
      const here = this.#places[place];
      return [...here === "*" ? [place] : [], ...here === letter && letter !== "*" ? [place + 1] : []];
    }));
  }

  isEnd(state: readonly number[]): boolean {
    return state.some((place) => this.#places[place] === undefined);
  }

  /** The characters that lead from a state to others than the filler does. */
  letters(state: readonly number[]): string[] {
    return state.map((place) => this.#places[place]).filter((here) => here !== undefined && here !== "*") as string[];
  }

  #reach(places: readonly number[]): number[] {
    const reached = new Set<number>();
    for (let place of places) {
      reached.add(place);
      while (this.#places[place] === "*") reached.add(++place);
    }
    return [...reached].sort((a, b) => a - b);
  }
}
