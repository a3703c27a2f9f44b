// The functions of scripts/check-house.mjs with types, for the tests that hold the house rules.

/** A place that breaks a rule. */
export interface Breach {
  file: string;
  line: number;
  what: string;
}

interface House {
  /** Files below a folder of the project, by path from its root. */
  filesIn: (folder: string, pattern?: RegExp) => string[];
  textOf: (file: string) => string;
  medianLines: (files: readonly string[]) => number;
  checkHouse: () => Record<string, Breach[]>;
}

export const house = (await import('../../scripts/check-house.mjs' as string)) as House;
