import type { Defeat } from '../locators/why.ts';
import { table } from './terminal.ts';
import type { Cell, Row } from './terminal.ts';
import type { ExplainedContext, WhyReport } from './why-report.ts';

/** What `loci why` prints for people. */
export function whyView(report: WhyReport, coloured: boolean): string {
  return [
    ...destinations(report, coloured),
    ...source(report, coloured),
    ...(report.withoutContexts === null ? [] : [`\nwithout contexts: ${report.withoutContexts}\n`]),
    ...report.contexts.flatMap((context) => pairs(context, coloured)),
    ...(report.withoutContexts === null && report.contexts.length === 0 ? ['\nlocid has no context with it\n'] : []),
  ].join('');
}

function destinations({ destinations: ordered }: WhyReport, coloured: boolean): string[] {
  if (ordered.length < 2) return [];
  const rows = ordered.map(({ address, source: from, lostBy }): Row => [address, from ?? '-', because(lostBy)]);
  return [table(['DESTINATION', 'FROM', 'WHY'], rows, coloured), '\n'];
}

function source({ source: s }: WhyReport, coloured: boolean): string[] {
  if (s.interface === null) return [`there is no route to ${s.destination}; see: ip -6 route get ${s.destination}\n`];
  const rows = s.candidates.map(({ address, interface: name, lostBy }): Row => {
    const asked = address === s.asked ? ' (asked for)' : '';
    return [`${address}${asked}`, name, because(lostBy)];
  });
  const kernel =
    s.kernel === s.chosen
      ? 'the kernel chooses the same'
      : `the kernel takes ${s.kernel ?? 'none'}: a route, a rule or the order of addresses says so; see: ip -6 route get ${s.destination}`;
  return [
    `to ${s.destination} through ${s.interface}\n`,
    table(['SOURCE', 'ON', 'WHY'], rows, coloured),
    `${kernel}\n`,
  ];
}

function pairs({ ulids, state, inUse, pairs: ranked }: ExplainedContext, coloured: boolean): string[] {
  const rows = ranked.map(({ pair, rank, state: path, lostBy }): Row => {
    const first = lostBy === undefined && pair.join() === inUse.join();
    return [
      rank === null ? '-' : String(rank),
      path ?? '-',
      pair.join(' → '),
      first ? good('in use') : because(lostBy),
    ];
  });
  return [`\ncontext ${ulids.join(' → ')}, ${state}\n`, table(['ORDER', 'STATE', 'PAIR', 'WHY'], rows, coloured)];
}

function because(lostBy: Defeat | undefined): Cell {
  return lostBy === undefined
    ? good('first')
    : { text: `${/^[0-9]/.test(lostBy.rule) ? 'rule ' : ''}${lostBy.rule}: ${lostBy.text}`, mood: 'plain' };
}

function good(text: string): Cell {
  return { text, mood: 'good' };
}
