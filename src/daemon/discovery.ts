/** How often pairs without a context are looked at, while any has packets. */
const DISCOVERY_MS = 200;

/** What tells that packets pass on pairs without a context. */
export interface Strangers {
  /** What passed up to now wakes nobody. */
  forgetOthers(): void;
  /** Call `wake`, once, when more passes, or has since `forgetOthers`. False when that cannot be known. */
  restFromOthers(wake: () => void): boolean;
}

/** What a look has found. */
export interface Sight {
  /** On all pairs without a context. */
  readonly packets: number;
  /** Whether another look is needed although nothing more is sent. */
  readonly isListening: boolean;
}

/** Looks at pairs without a context while there are packets on them, and rests while there are none. */
export class Discovery {
  readonly #strangers: Strangers;
  readonly #find: () => Sight;
  #timer: NodeJS.Timeout | undefined;
  #packets = 0;

  constructor(strangers: Strangers, find: () => Sight) {
    this.#strangers = strangers;
    this.#find = find;
  }

  /** Now, and from then on whenever there is reason to. */
  look(): void {
    this.#strangers.forgetOthers();
    const { packets, isListening } = this.#find();
    const isQuiet = packets === this.#packets && !isListening;
    this.#packets = packets;
    const again = (): void => {
      this.look();
    };
    if (isQuiet && this.#strangers.restFromOthers(again)) return;
    this.#timer = setTimeout(again, DISCOVERY_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
