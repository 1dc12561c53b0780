import type { HostEvent, PairText } from '../../src/host/events.ts';
import type { ContextSnapshot, PathSnapshot } from '../../src/host/snapshot.ts';
import type { Control, TextWish } from '../../src/daemon/protocol.ts';

const ULIDS: PairText = ['2001:db8:a::1', '2001:db8:b::1'];
const PAIR: PairText = ['2001:db8:c::1', '2001:db8:d::1'];

const CONTEXT: ContextSnapshot = {
  ulids: ULIDS,
  forkedInstanceId: 0,
  state: 'ESTABLISHED',
  tagLocal: '123456789abc',
  tagPeer: '00cafe00cafe',
  profile: 'fast',
  reap: 'Operational',
  pair: PAIR,
  diverted: true,
  localLocators: [ULIDS[0], PAIR[0]],
  peerLocators: [
    { address: ULIDS[1], method: 'ulid', probed: true, broken: true, priority: 1, weight: 0 },
    { address: PAIR[1], method: 'hba', probed: true, broken: false, priority: 1, weight: 0 },
  ],
  sentAgoMs: 12,
  heardAgoMs: null,
  ageMs: 61_000,
};

const PATHS: PathSnapshot[] = [
  { pair: ULIDS, state: 'failed', rttMs: null, heardAgoMs: 4_200, contexts: 0, why: 'no answer to 4 probes' },
  { pair: PAIR, state: 'operational', rttMs: 0.42, heardAgoMs: 3, contexts: 1, why: 'first pair that answered' },
];

export interface FakeControl extends Control {
  broken: boolean;
  contextCount: number;
  readonly closed: (PairText | undefined)[];
  readonly wishes: [peer: string, wish: TextWish][];
  readonly listeners: Set<(event: HostEvent) => void>;
  emit(event: HostEvent): void;
}

/** The inside of a daemon with one context that has moved to its second path. */
export function fakeControl(): FakeControl {
  const listeners = new Set<(event: HostEvent) => void>();
  return {
    broken: false,
    contextCount: 1,
    closed: [],
    wishes: [],
    listeners,
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    status() {
      if (this.broken) throw new Error('broken');
      return {
        version: '0.1.0',
        pid: 4711,
        uptimeMs: 3_723_000,
        profile: 'fast',
        mode: 'tun',
        contexts: { ESTABLISHED: 1 },
        locators: { total: 2, operational: 1 },
        counters: { packets: { sent: 10, received: 9 }, drops: { 'bad-checksum': 1 } },
        loopLagMs: { last: 0.1, max: 2.5 },
      };
    },
    contexts() {
      return Array.from({ length: this.contextCount }, () => [CONTEXT]);
    },
    locators: () => [
      { address: ULIDS[0], interface: 'eth0', method: 'cga', state: 'preferred', operational: false, ulid: true },
      { address: PAIR[0], interface: 'eth1', method: 'hba', state: 'deprecated', operational: true, ulid: false },
    ],
    paths: () => [PATHS],
    associations: () => [],
    espKeys: () => [],
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    wish(peer, wish) {
      this.wishes.push([peer, wish]);
      return 1;
    },
    close(ulids) {
      this.closed.push(ulids);
      return 1;
    },
  };
}
