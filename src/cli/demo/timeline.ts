import type { Noticed, Pair } from './daemons.ts';
import type { Moment, RunResult } from './measure.ts';

/** Where lines go, and whether colours are welcome. */
export interface Screen {
  line(text: string): void;
  readonly coloured: boolean;
}

/** How long lines wait for earlier ones: two hosts tell what they notice, each through a process of its own. */
const SETTLE_MS = 120;
const STAMP_WIDTH = 10;

const CAUSES: Readonly<Record<string, string>> = {
  'send-timeout': 'payload goes out, nothing comes back',
  'address-lost': 'its address or link is gone',
  'send-error': 'the kernel cannot send',
  icmp: 'a router reports an error',
  'peer-exploring': 'the peer says that it hears nothing',
  'peer-broken': 'the peer withdrew the address',
  'address-deprecated': 'its address is about to go',
  application: 'the application complains',
};

/** Where an address tells its provider: in namespaces, and in the simulator. */
const PROVIDER = /^2001:db8:(?:([12])|[ab]([123])):/;

/** Tells a run line by line, with times relative to the failure. Needs nothing of a terminal but lines. */
export class Timeline {
  readonly #screen: Screen;
  #zero: number | undefined;
  #waiting: { readonly at: number; readonly text: string }[] = [];
  #flush: NodeJS.Timeout | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(moment: Moment): void {
    if (moment.kind === 'failure') this.#zero = moment.at;
    if (moment.kind === 'finished') {
      this.#print();
      for (const line of verdict(moment.result)) this.#screen.line(`${' '.repeat(STAMP_WIDTH + 2)}${line}`);
      this.#zero = undefined;
      return;
    }
    const text = wordsFor(moment, this.#zero !== undefined);
    if (text === undefined) return;
    this.#waiting.push({ at: moment.at, text: this.#paint(moment, text) });
    this.#flush ??= setTimeout(() => {
      this.#print();
    }, SETTLE_MS);
  }

  #print(): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    this.#waiting.sort((a, b) => a.at - b.at);
    for (const { at, text } of this.#waiting) this.#screen.line(`${this.#stamp(at)}  ${text}`);
    this.#waiting = [];
  }

  #stamp(at: number): string {
    if (this.#zero === undefined || at < this.#zero) return ' '.repeat(STAMP_WIDTH);
    return `+${(at - this.#zero).toFixed(0)} ms`.padStart(STAMP_WIDTH);
  }

  #paint(moment: Moment, text: string): string {
    if (!this.#screen.coloured) return text;
    if (moment.kind === 'failure' || moment.kind === 'step') return `\u001b[31m${text}\u001b[0m`;
    if (moment.kind !== 'noticed') return text;
    if (moment.event.event === 'suspect') return `\u001b[33m${text}\u001b[0m`;
    return moment.event.event === 'arrived' ? `\u001b[32m${text}\u001b[0m` : text;
  }
}

function wordsFor(moment: Exclude<Moment, { kind: 'finished' }>, broken: boolean): string | undefined {
  switch (moment.kind) {
    case 'building':
      return 'building two hosts and two providers …';
    case 'flowing':
      return `UDP and TCP flow over ${pathOf([moment.source, moment.destination])}: ${moment.source} → ${moment.destination}`;
    case 'protected':
      return 'the two hosts have agreed on a context: the connection no longer hangs on one path';
    case 'failure':
    case 'step':
      return `✗ ${moment.what}`;
    case 'noticed':
      return broken ? noticedWords(moment.event) : undefined;
  }
}

function noticedWords(event: Noticed): string | undefined {
  const { host } = event;
  switch (event.event) {
    case 'suspect':
      return `${host} doubts ${pathOf(event.pair)}: ${CAUSES[event.cause ?? ''] ?? String(event.cause)}`;
    case 'false-alarm':
      return `${host} finds ${pathOf(event.pair)} alive after all`;
    case 'selected':
      return `${host} sends over ${pathOf(event.to)} from now on`;
    case 'arrived':
      return `${host} receives payload over ${pathOf(event.pair, 'inbound')}`;
    case 'locator':
      return `${host}: ${String(event.address)} ${String(event.change)}`;
    default:
      return undefined;
  }
}

/** The providers that a pair crosses; an inbound pair is told from the side of the sender. */
function pathOf(pair: Pair | undefined, direction: 'outbound' | 'inbound' = 'outbound'): string {
  if (pair === undefined) return 'its path';
  const [near, far] = (direction === 'outbound' ? pair : [pair[1], pair[0]]).map((address) => {
    const [, number, simulated = '?'] = PROVIDER.exec(address) ?? [];
    return number ?? (simulated === '3' ? '1' : simulated); // the simulator renumbers to 3
  });
  return near === far ? `provider ${String(near)}` : `providers ${String(near)} and ${String(far)}`;
}

function verdict({ ok, reason, tcp, udp }: RunResult): readonly string[] {
  const lines: string[] = [];
  if (tcp !== null && udp !== null) {
    lines.push(
      `→ UDP stood still for ${udp.gapMs.toFixed(0)} ms (${String(udp.lost)} of ${String(udp.sent)} datagrams lost), TCP for ${tcp.stallMs.toFixed(0)} ms`,
    );
  }
  lines.push(ok ? '→ same TCP connection, every octet in place (SHA-256)' : `→ FAILED: ${String(reason)}`);
  return lines;
}
