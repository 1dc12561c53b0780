import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { HipPath } from './association-io.ts';
import { IdWindow } from './id-window.ts';
import type { HipSettings } from './settings.ts';

/** What an UPDATE of this host is for. */
export type UpdatePurpose = 'rekey' | 'locators' | 'verify';

/** An UPDATE that waits for its ACK, RFC 7401 §6.11. */
export interface Outstanding {
  readonly updateId: number;
  readonly purpose: UpdatePurpose;
  /** Without Checksum. */
  readonly octets: Uint8Array;
  /** Paths to send it over: one after the other, round and round. */
  readonly paths: readonly HipPath[];
  tries: number;
  sentAt: Instant;
  retryAt: Instant;
}

/** RFC 7401 §6.12: how far ahead of the last one an Update ID may be. */
const RECEIVE_WINDOW = 32;

/** Reliable delivery of UPDATEs, RFC 7401 §6.11 and §6.12. */
export class UpdateQueue {
  readonly received: IdWindow = new IdWindow(RECEIVE_WINDOW);
  readonly #settings: HipSettings;
  readonly #outstanding: Outstanding[] = [];
  #next = 0;

  constructor(settings: HipSettings) {
    this.#settings = settings;
  }

  get deadline(): Instant {
    let first = NEVER;
    for (const { retryAt } of this.#outstanding) if (retryAt < first) first = retryAt;
    return first;
  }

  has(purpose: UpdatePurpose): boolean {
    return this.#outstanding.some((update) => update.purpose === purpose);
  }

  isOutstanding(updateId: number): boolean {
    return this.#outstanding.some((update) => update.updateId === updateId);
  }

  /** The Update ID of a new one: 0 at first (HIP-072). */
  take(): number {
    const updateId = this.#next;
    this.#next = (this.#next + 1) >>> 0;
    return updateId;
  }

  /** It was sent over the first of its paths. */
  sent(
    update: Pick<Outstanding, 'updateId' | 'purpose' | 'octets' | 'paths'>,
    rttMs: number | undefined,
    now: Instant,
  ): void {
    const timeout = Math.max(this.#settings.updateTimeoutMs, 2 * (rttMs ?? 0)); // §6.11 step 3
    this.#outstanding.push({ ...update, tries: 1, sentAt: now, retryAt: now + timeout });
  }

  /** The UPDATE that was acknowledged; it is no longer outstanding. */
  acknowledge(updateId: number): Outstanding | undefined {
    const at = this.#outstanding.findIndex((update) => update.updateId === updateId);
    return at < 0 ? undefined : this.#outstanding.splice(at, 1)[0];
  }

  forget(purpose: UpdatePurpose): void {
    for (let at = this.#outstanding.length - 1; at >= 0; at--) {
      if (this.#outstanding[at]?.purpose === purpose) this.#outstanding.splice(at, 1);
    }
  }

  /** What is due: to send once more, with its next path, or given up (§6.11 step 4). */
  due(now: Instant): {
    readonly again: readonly (readonly [Outstanding, HipPath])[];
    readonly lost: readonly Outstanding[];
  } {
    const again: [Outstanding, HipPath][] = [];
    const lost: Outstanding[] = [];
    for (const update of [...this.#outstanding]) {
      if (now < update.retryAt) continue;
      if (update.tries > this.#settings.updateRetryMax) {
        lost.push(update);
        this.acknowledge(update.updateId);
        continue;
      }
      const path = update.paths[update.tries % update.paths.length];
      update.tries++;
      const { updateTimeoutMs } = this.#settings;
      const pause = Math.max(update.retryAt - update.sentAt, updateTimeoutMs);
      update.sentAt = now;
      update.retryAt = now + Math.min(2 * pause, this.#settings.maxTimeoutMs);
      if (path !== undefined) again.push([update, path]);
    }
    return { again, lost };
  }
}
