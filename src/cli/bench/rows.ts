import { FAILURES } from '../demo/failures.ts';

export const BENCHES = ['throughput', 'latency', 'handshake', 'failover', 'scale', 'smallpackets'] as const;
export type BenchName = (typeof BENCHES)[number];

/** The ways that traffic can take in this version. */
export const WAYS = ['raw', 'raw-offloads-off', 'loci-shim6-plain', 'loci-shim6-diverted'] as const;
export type Way = (typeof WAYS)[number];

/** What everything else is compared with, round by round. */
export const REFERENCE: Way = 'raw';

export interface RowName {
  readonly name: string;
  /** False: the name is known, but nothing measures it yet. */
  readonly isSupported: boolean;
}

const OTHER_STACKS = ['wireguard-go', 'openvpn', 'strongswan-libipsec', 'tinc'];
const HIP = ['loci-hip-udp-gcm', 'loci-hip-raw-gcm', 'loci-hip-raw-cbc-sha256'];

/** The rows that a bench may have, in the order in which it shows them. */
export function rowsOf(bench: BenchName): readonly RowName[] {
  const rows = (names: readonly string[], isSupported: boolean): readonly RowName[] =>
    names.map((name) => ({ name, isSupported }));
  switch (bench) {
    case 'throughput':
    case 'latency':
    case 'smallpackets':
      return [...rows(WAYS, true), ...rows([...OTHER_STACKS, ...HIP], false)];
    case 'handshake':
      return [...rows(['loci-shim6'], true), ...rows(['loci-hip', 'strongswan'], false)];
    case 'scale':
      return rows(['recovery', 'status', 'memory', 'observation', 'idle', 'idle-detection'], true);
    case 'failover':
      return [...rows(FAILURES, true), ...rows(['mobility'], false)];
  }
}

export interface Choice {
  readonly measured: readonly string[];
  readonly missing: readonly string[];
}

/** Splits what was asked for, or everything, into what can be measured and what cannot. `absent`: rows whose tools are missing. */
export function choose(bench: BenchName, peers: readonly string[] | undefined, absent: readonly string[]): Choice {
  const wanted = rowsOf(bench).filter(({ name }) => peers === undefined || peers.includes(name));
  const can = ({ name, isSupported }: RowName): boolean => isSupported && !absent.includes(name);
  const names = (rows: readonly RowName[]): readonly string[] => rows.map(({ name }) => name);
  return { measured: names(wanted.filter(can)), missing: names(wanted.filter((row) => !can(row))) };
}
