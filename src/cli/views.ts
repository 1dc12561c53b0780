import type { HostEvent, PairText } from '../host/events.ts';
import type { AssociationSnapshot } from '../host/show-associations.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from '../host/snapshot.ts';
import type { StatusSnapshot } from '../daemon/protocol.ts';
import { duration, table } from './terminal.ts';
import type { Cell, Mood, Row } from './terminal.ts';

/** What `loci status` prints for people. */
export function statusView(status: StatusSnapshot, coloured: boolean): string {
  const { counters, locators, loopLagMs } = status;
  const rows: Row[] = [
    ['version', status.version],
    ['pid', String(status.pid)],
    ['up for', duration(status.uptimeMs)],
    ['profile', `${status.profile} (${status.mode})`],
    ['contexts', counts(status.contexts)],
    ['locators', `${String(locators.operational)} of ${String(locators.total)} operational`],
    ['packets', counts(counters.packets)],
    ['dropped', counts(counters.drops)],
    ['loop lag', `${duration(loopLagMs.last)}, at worst ${duration(loopLagMs.max)}`],
  ];
  return table(['locid', 'running'], rows, coloured);
}

/** What `loci contexts` prints: one line per context, and a second one where it has left its ULIDs. */
export function contextsView(contexts: readonly ContextSnapshot[], coloured: boolean): string {
  if (contexts.length === 0) return 'no contexts: nothing has talked long enough to a Shim6 host\n';
  const rows = contexts.flatMap((context): Row[] => {
    const line: Row = [
      moody(context.state, { ESTABLISHED: 'good', 'E-FAILED': 'bad', 'NO-SUPPORT': 'bad' }),
      moody(context.reap, { Operational: 'good', Exploring: 'bad', InboundOk: 'doubtful' }),
      context.profile,
      context.diverted ? 'tun' : 'kernel',
      duration(context.sentAgoMs),
      duration(context.heardAgoMs),
      duration(context.ageMs),
      arrow(context.ulids) + (context.forkedInstanceId === 0 ? '' : ` #${String(context.forkedInstanceId)}`),
    ];
    const moved = arrow(context.pair) !== arrow(context.ulids);
    return moved ? [line, { remark: `over ${arrow(context.pair)}` }] : [line];
  });
  return table(['STATE', 'REAP', 'PROFILE', 'VIA', 'SENT', 'HEARD', 'AGE', 'ULIDS'], rows, coloured);
}

/** What `loci locators` prints: this host's own addresses. */
export function locatorsView(locators: readonly LocatorSnapshot[], coloured: boolean): string {
  if (locators.length === 0) return 'no locators: no interface has a global IPv6 address\n';
  const rows = locators.map((locator): Row => [
    locator.address,
    locator.interface,
    locator.operational ? { text: 'up', mood: 'good' } : { text: 'down', mood: 'bad' },
    moody(locator.state, { preferred: 'good', tentative: 'doubtful', deprecated: 'doubtful' }),
    locator.method,
    locator.ulid ? 'yes' : 'no',
  ]);
  return table(['ADDRESS', 'INTERFACE', 'LINK', 'STATE', 'METHOD', 'ULID'], rows, coloured);
}

/** What `loci paths` prints: locator pairs, and why each is used or not. */
export function pathsView(paths: readonly PathSnapshot[], coloured: boolean): string {
  if (paths.length === 0) return 'no paths: there is no context\n';
  const rows = paths.map((path): Row => [
    moody(path.state, { operational: 'good', suspect: 'doubtful', failed: 'bad' }),
    duration(path.rttMs),
    duration(path.heardAgoMs),
    String(path.contexts),
    arrow(path.pair),
    path.why,
  ]);
  return table(['STATE', 'RTT', 'HEARD', 'CONTEXTS', 'PAIR', 'WHY'], rows, coloured);
}

export function associationsView(associations: readonly AssociationSnapshot[], coloured: boolean): string {
  if (associations.length === 0) return 'no associations\n';
  const rows = associations.map(({ hits, state, pair, carriage, suite }): Row => [
    moody(state, { ESTABLISHED: 'good', 'R2-SENT': 'good', 'E-FAILED': 'bad' }),
    carriage ?? '',
    suite === undefined ? '' : String(suite),
    arrow(hits),
    pair === undefined ? '' : arrow(pair),
  ]);
  return table(['STATE', 'CARRIAGE', 'SUITE', 'HITS', 'PAIR'], rows, coloured);
}

/** One line of `loci monitor`. Times are seconds on the daemon's clock. */
export function eventLine(event: HostEvent): string {
  const at = `${(event.at / 1_000).toFixed(3)} s`.padStart(14);
  return `${at}  ${event.event.padEnd(11)}  ${sentence(event)}`.replaceAll(/\p{Cc}/gu, '?');
}

function sentence(event: HostEvent): string {
  switch (event.event) {
    case 'locator':
      return `${event.address} ${event.change}`;
    case 'state':
      return `${arrow(event.ulids)} ${event.state}${event.reason === undefined ? '' : `: ${event.reason}`}`;
    case 'reap':
      return `${arrow(event.ulids)} ${event.state}`;
    case 'suspect':
      return `${arrow(event.ulids)} doubts ${arrow(event.pair)}: ${event.cause}`;
    case 'false-alarm':
      return `${arrow(event.ulids)} stays on ${arrow(event.pair)}`;
    case 'confirmed':
      return `${arrow(event.ulids)} ${arrow(event.pair)} answered after ${duration(event.rttMs)}`;
    case 'selected':
      return `${arrow(event.ulids)} from ${arrow(event.from)} to ${arrow(event.to)}: ${event.why}`;
    case 'arrived':
      return `${arrow(event.ulids)} the peer now uses ${arrow(event.pair)}`;
    case 'diverted':
      return `${arrow(event.ulids)} into the TUN device`;
    case 'returned':
      return `${arrow(event.ulids)} back to the kernel's path`;
    case 'warning':
      return event.message;
  }
}

function arrow([from, to]: PairText): string {
  return `${from} → ${to}`;
}

function counts(table: Readonly<Record<string, number>>): string {
  const entries = Object.entries(table);
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${String(count)} ${name}`).join(', ');
}

function moody(text: string, moods: Readonly<Record<string, Mood>>): Cell {
  return { text, mood: moods[text] ?? 'plain' };
}
