import type { Random } from '../crypto/ports.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { ReapProfile } from './profile.ts';
import { between } from './spread.ts';

/**
 * The Keepalive Timer and the Keepalive Interval, RFC 5534 §4.1, §6.1: what this host owes for payload it heard.
 *
 * With a grace in the profile a Keepalive always vouches for payload that came since the one before. Then silence
 * starts as soon as nothing arrives any more, and what arrives after a silence is answered at once.
 */
export class Keepalives {
  readonly #profile: ReapProfile;
  readonly #random: Random;
  readonly #vouching: boolean;
  #timeoutMs: number;
  #endsAt = NEVER;
  #nextAt = NEVER;
  #owed = false;

  constructor(profile: ReapProfile, random: Random) {
    this.#profile = profile;
    this.#random = random;
    this.#vouching = profile.graceMs > 0;
    this.#timeoutMs = profile.sendTimeoutMs;
  }

  get isRunning(): boolean {
    return this.#endsAt !== NEVER;
  }

  get deadline(): Instant {
    return Math.min(this.#endsAt, this.#nextAt);
  }

  /** §5.3: the peer's Send Timeout. */
  set timeoutMs(ms: number) {
    this.#timeoutMs = ms;
  }

  /** START Keepalive: payload, or the end of an exploration, is owed an answer. True: send a Keepalive now. */
  start(now: Instant): boolean {
    const wasRunning = this.isRunning;
    if (wasRunning && !this.#vouching) return false;
    this.#endsAt = now + this.#timeoutMs;
    if (!wasRunning) this.#nextAt = now + this.#interval();
    else if (this.#nextAt === NEVER) return this.#sent(now); // an interval went by in silence
    this.#owed = true;
    return false;
  }

  stop(): void {
    this.#endsAt = NEVER;
    this.#nextAt = NEVER;
    this.#owed = false;
  }

  /** True: send a Keepalive now. */
  tick(now: Instant): boolean {
    if (now >= this.#endsAt) {
      const last = !this.#vouching || this.#owed; // §6.3: one last Keepalive
      this.stop();
      return last;
    }
    if (now < this.#nextAt) return false;
    if (!this.#vouching || this.#owed) return this.#sent(now);
    this.#nextAt = NEVER;
    return false;
  }

  shift(by: number): void {
    this.#endsAt += by;
    this.#nextAt += by;
  }

  #sent(now: Instant): true {
    this.#owed = false;
    this.#nextAt = now + this.#interval();
    return true;
  }

  #interval(): number {
    return this.#timeoutMs * between(this.#profile.keepaliveShare, this.#random);
  }
}
