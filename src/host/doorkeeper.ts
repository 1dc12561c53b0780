import type { Responder } from '../shim6/responder.ts';
import type { Instant } from '../wire/time.ts';

/** Who is let in first when more I1s come than may be answered: networks with whom this host has to do. */
export class Doorkeeper {
  readonly #responder: Responder;
  readonly #dropped: (reason: string) => void;

  constructor(responder: Responder, dropped: (reason: string) => void) {
    this.#responder = responder;
    this.#dropped = dropped;
  }

  /** Whether I1s come slowly enough for all of them to be answered. */
  isAtEase(now: Instant): boolean {
    return this.#responder.isAtEase(now);
  }

  /** This host has a context with, or sent something to, the address at `at`. */
  meet(octets: Uint8Array, at = 0): void {
    this.#responder.meet(octets, at);
  }

  /** Is an I1 from the address at `at` worth handling? It counts as dropped when it is not. */
  mayAnswerI1(octets: Uint8Array, at: number, now: Instant): boolean {
    if (this.isAtEase(now) || this.#responder.knows(octets, at)) return true;
    this.#dropped('rate');
    return false;
  }
}
