import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';

/** What a probe is for; the later ones leave a larger share of the budget to the others. */
export type ProbeUse = 'answer' | 'explore' | 'test' | 'standby';

const LEFT_TO_OTHERS: Readonly<Record<ProbeUse, number>> = { answer: 0, explore: 1 / 4, test: 1 / 2, standby: 3 / 4 };
/** Pairs that are probed together: a burst goes out as a whole, or the dead pair would always be the one that is probed. */
const BURST = 3;
/** Of a token: at the deadline, what was gained until then is enough. */
const ROUNDING = 1e-6;

/**
 * Probes per second of the whole host. Explorations that find it used up stand in a queue, one turn for each path class,
 * and within it one for each context, so that a few contexts in trouble cannot take it all.
 */
export class ProbeBudget<Member> {
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: Instant;
  readonly #queues = new Map<object, Set<Member>>();
  #granted: Member | undefined;

  constructor(perSecond: number, now: Instant) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAt = now;
  }

  /** When `next` has a turn to give. */
  get deadline(): Instant {
    if (this.#queues.size === 0) return NEVER;
    const missing = Math.max(0, this.#turn - this.#tokens);
    return this.#filledAt + (missing * 1000) / this.#perSecond;
  }

  /** A probe that is no exploration of ours; without a token it is not sent. */
  take(use: Exclude<ProbeUse, 'explore'>, now: Instant): boolean {
    if (!this.has(use, now)) return false;
    this.#tokens--;
    return true;
  }

  /** The token that `take` gave was not needed. */
  refund(): void {
    this.#tokens++;
  }

  /** Would `take` give a token? */
  has(use: Exclude<ProbeUse, 'explore'>, now: Instant): boolean {
    this.#fill(now);
    return this.#tokens >= this.#reserve(use) + 1;
  }

  /** A probe of an exploration; without a token, `member` gets a turn when one has come. */
  explore(member: Member, path: object, now: Instant): boolean {
    this.#fill(now);
    const isFree = this.#queues.size === 0 && this.#tokens >= this.#reserve('explore') + 1;
    if (!isFree && member !== this.#granted) {
      this.queue(member, path);
      return false;
    }
    this.#tokens--;
    return true;
  }

  queue(member: Member, path: object): void {
    const queue = this.#queues.get(path);
    if (queue === undefined) this.#queues.set(path, new Set([member]));
    else queue.add(member);
  }

  /** No turn for `member` any more. */
  leave(member: Member, path: object): void {
    const queue = this.#queues.get(path);
    queue?.delete(member);
    if (queue?.size === 0) this.#queues.delete(path);
  }

  /** Gives each of those whose turn it is to `explore`, which then sends what it has to. */
  serve(now: Instant, explore: (member: Member) => void): void {
    this.#fill(now);
    while (this.#queues.size > 0 && this.#tokens >= this.#turn - ROUNDING) {
      const [path, queue] = first(this.#queues);
      const [member] = first(queue.entries());
      this.leave(member, path);
      this.#queues.delete(path);
      if (queue.size > 0) this.#queues.set(path, queue); // behind the other classes
      this.#granted = member;
      explore(member);
      this.#granted = undefined;
    }
  }

  get #turn(): number {
    return Math.min(this.#perSecond, this.#reserve('explore') + BURST);
  }

  #reserve(use: ProbeUse): number {
    return Math.floor(this.#perSecond * LEFT_TO_OTHERS[use]);
  }

  #fill(now: Instant): void {
    const gained = (Math.max(0, now - this.#filledAt) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = Math.max(now, this.#filledAt);
  }
}

function first<Item>(items: Iterable<Item>): Item {
  for (const item of items) return item;
  throw new RangeError('nothing is there');
}
