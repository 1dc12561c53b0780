import type { RunResult } from './measure.ts';
import type { DemoOptions } from './options.ts';

/** What people read before anything happens. */
export function introduction({ rate, profile, loci }: DemoOptions, simulated: boolean): readonly string[] {
  return [
    '',
    loci ? 'Loci: connections that outlive their path' : 'The same demonstration without Loci',
    '',
    '             ┌── provider 1 ──┐        One program sends a datagram every millisecond, another',
    `    client ──┤                ├── server   streams TCP at ${String(rate)} Mbit/s. Both are ordinary: plain`,
    '             └── provider 2 ──┘        sockets, nothing of Loci. Then provider 1 breaks.',
    '',
    ...(simulated ? ['    SIMULATED: in virtual time, with programs and links that exist in memory only.'] : []),
    ...(loci ? [`    Loci runs on both hosts, profile ${profile}. Times are relative to the failure.`] : []),
  ];
}

/** What other means need for the same failure; medians of our measurements, see `docs/`. */
const OTHERS: readonly (readonly [name: string, udp: string, tcp: string])[] = [
  ['nothing', 'for ever', 'for ever'],
  ['BGP, hold time 90 s', '71 s', '71 s'],
  ['BGP, hold time 3 s', '2.3 s', '3.2 s'],
  ['BGP with BFD, 3 × 100 ms', '244 ms', '649 ms'],
  ['Multipath TCP', '(TCP only)', '213 ms'],
  ['BGP with BFD, 3 × 50 ms', '146 ms', '226 ms'],
];

/** What people read at the end: how long programs stand still with other means, and how long they did here. */
export function comparison(results: readonly RunResult[], loci: boolean): readonly string[] {
  const worst = (pick: (run: RunResult) => number | undefined): string => {
    const values = results.map((run) => (run.ok ? pick(run) : undefined));
    return values.some((value) => value === undefined)
      ? 'for ever'
      : `${Math.max(...values.map((value) => value ?? 0)).toFixed(0)} ms`;
  };
  const row = (name: string, udp: string, tcp: string): string =>
    `    ${name.padEnd(30)}${udp.padStart(10)}${tcp.padStart(12)}`;
  const here = [worst((run) => run.udp?.gapMs), worst((run) => run.tcp?.stallMs)] as const;
  return [
    '',
    'How long programs stand still when their provider dies silently:',
    '',
    row('', 'UDP', 'TCP'),
    ...OTHERS.filter(([name]) => loci || name !== 'nothing').map((other) => row(...other)),
    row(loci ? 'Loci, the worst of this run' : 'nothing, in this run', ...here),
    '',
  ];
}
