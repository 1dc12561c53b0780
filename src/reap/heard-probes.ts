import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { MAX_REPORTS } from './probe.ts';
import type { ProbeReport } from './probe.ts';

/** Probes of the peer that arrived since this host was last content, newest first (RFC 5534 §5.2). */
export class HeardProbes {
  #heard: readonly Heard[] = NONE;

  /** `pair` is where it really arrived; a translator on the path makes that differ from the report. */
  add(report: ProbeReport, pair: LocatorPair): void {
    const others = this.#heard.filter((heard) => heard.report.nonce !== report.nonce);
    this.#heard = [{ report, pair }, ...others].slice(0, MAX_REPORTS);
  }

  /** The reports, without those from pairs that the peer should not take. */
  reports(isWanted: (pair: LocatorPair) => boolean): ProbeReport[] {
    return this.#heard.filter((heard) => isWanted(heard.pair)).map((heard) => heard.report);
  }

  arrivedOn(pair: LocatorPair): boolean {
    return this.#heard.some((heard) => samePair(heard.pair, pair));
  }

  clear(): void {
    this.#heard = NONE;
  }
}

interface Heard {
  readonly report: ProbeReport;
  readonly pair: LocatorPair;
}

const NONE: readonly Heard[] = [];
