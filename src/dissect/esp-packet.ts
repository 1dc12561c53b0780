import { ReplayWindow } from '../esp/replay-window.ts';
import { HEADER_LENGTH, TRAILER_LENGTH, suiteOf } from '../esp/suites.ts';
import { unprotect } from '../esp/transform.ts';
import { Reader } from '../wire/reader.ts';
import type { DissectedMessage, Fields } from './entry.ts';
import type { Direction } from './hip-exchanges.ts';
import { hitText, numberText, spiText } from './hip-parameters.ts';
import type { KeyLog, LoggedAssociation } from './key-log.ts';

type EspMessage = Pick<
  DissectedMessage,
  'message' | 'length' | 'checksum' | 'fields' | 'options' | 'inner' | 'checks' | 'error'
>;

/** A security association of the log, and the highest number that was seen of it. */
interface Followed {
  readonly logged: LoggedAssociation;
  window: ReplayWindow;
}

const SHORT_SPAN = 65_536;

/** ESP packets, RFC 4303 §2, opened with the keys of a log. */
export class EspSeen {
  readonly #associations = new Map<number, Followed[]>();

  constructor({ associations }: KeyLog) {
    for (const logged of associations) {
      const known = this.#associations.get(logged.spi) ?? [];
      known.push({ logged, window: new ReplayWindow(SHORT_SPAN) });
      this.#associations.set(logged.spi, known);
    }
  }

  /** A packet from its SPI on; `direction`: the HITs that the SPI stands for, as HIP told them. */
  dissect(octets: Uint8Array, direction: (spi: number) => Direction | undefined): EspMessage {
    const plain = { message: 'ESP', length: octets.length, checksum: 'none', options: [] } as const;
    if (octets.length < HEADER_LENGTH) {
      return { ...plain, fields: {}, error: { reason: 'truncated', at: octets.length } };
    }
    const r = new Reader(octets);
    const spi = r.u32();
    const sequence = r.u32();
    const fields = { spi: spiText(spi), sequence };
    const known = this.#associations.get(spi);
    if (known === undefined) return { ...plain, fields, checks: { icv: 'unknown' } };
    for (const followed of known) {
      const opened = open(followed, octets, sequence);
      if (opened === undefined) continue;
      const hits = followed.logged.hits ?? direction(spi);
      const ends = hits && { src: hitText(hits.sender), dst: hitText(hits.receiver) };
      return {
        ...plain,
        fields: { ...fields, ...opened.fields },
        inner: { protocol: opened.nextHeader, ...ends },
        checks: { icv: 'good' },
      };
    }
    return { ...plain, fields, checks: { icv: 'bad' } };
  }
}

interface OpenedPacket {
  readonly fields: Fields;
  readonly nextHeader: number;
}

/** With the number in its whole length first, then as peers authenticate it that keep 32 bits only. */
function open(followed: Followed, octets: Uint8Array, low: number): OpenedPacket | undefined {
  const { logged } = followed;
  const suite = suiteOf(logged.suite);
  if (suite === undefined) return undefined;
  for (const esn of [true, false]) {
    const sequence = esn ? (followed.window.recover(low) ?? BigInt(low)) : BigInt(low);
    const binding = { spi: logged.spi, sequence, isExtended: esn };
    const plaintext = unprotect(suite, logged, binding, octets);
    if (plaintext === undefined) continue;
    if (sequence > followed.window.highest) followed.window.accept(sequence);
    const nextHeader = plaintext.at(-1) ?? 0;
    const payloadLength = plaintext.length - TRAILER_LENGTH - (plaintext.at(-2) ?? 0);
    return { fields: { suite: suite.id, sequence: numberText(sequence), esn, payloadLength }, nextHeader };
  }
  return undefined;
}
