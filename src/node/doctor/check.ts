/** `skipped`: could not be looked at, for the reason that `what` names. */
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** One thing that `loci doctor` looked at. */
export interface Check {
  /** What was looked at; several checks of one kind differ by `locator`, `peer` or `interface`. */
  readonly id: string;
  readonly status: CheckStatus;
  /** One sentence: what was found. */
  readonly what: string;
  /** One sentence with the command to run; with every warning and failure. */
  readonly remedy?: string;
  readonly locator?: string;
  readonly peer?: string;
  readonly interface?: string;
}

/** What a check is about, beyond its kind. */
export type About = Pick<Check, 'locator' | 'peer' | 'interface'>;

/** Makes the checks of one kind. */
export class Checks {
  readonly #id: string;
  readonly #about: About;

  constructor(id: string, about: About = {}) {
    this.#id = id;
    this.#about = about;
  }

  ok(what: string): Check {
    return { id: this.#id, status: 'ok', what, ...this.#about };
  }

  warning(what: string, remedy: string): Check {
    return { id: this.#id, status: 'warning', what, remedy, ...this.#about };
  }

  failed(what: string, remedy: string): Check {
    return { id: this.#id, status: 'failed', what, remedy, ...this.#about };
  }

  skipped(what: string, remedy?: string): Check {
    return { id: this.#id, status: 'skipped', what, ...(remedy === undefined ? {} : { remedy }), ...this.#about };
  }
}
