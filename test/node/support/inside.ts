import type { Address } from '../../../src/wire/address.ts';
import { formatAddress, parseAddress } from '../../../src/wire/address.ts';
import { batch, FIELDS, OFFSET } from '../../../src/host/ports.ts';
import { cleanUp } from '../../../src/node/cleanup.ts';
import type { Parsed } from '../../../src/wire/parsed.ts';
import type { FlowClass } from '../../../src/node/flow-classes.ts';
import type { LociError } from '../../../src/node/error.ts';
import { DEFAULT_NUMBERS } from '../../../src/node/interception-numbers.ts';
import { Interception } from '../../../src/node/interception.ts';
import { LocatorMonitor } from '../../../src/node/locators.ts';
import { listLinks, parseLink } from '../../../src/node/netlink/link.ts';
import { listRoutes, lookUpRoute, parseRoute } from '../../../src/node/netlink/route.ts';
import type { Prefix } from '../../../src/node/netlink/route.ts';
import { listRules, parseRule } from '../../../src/node/netlink/rule.ts';
import { NetlinkSocket } from '../../../src/node/netlink.ts';
import { PacketObservation } from '../../../src/node/nftables.ts';
import { PacketLog } from '../../../src/node/packet-log.ts';
import type { CountVisitor, ObservedPair } from '../../../src/node/nftables.ts';
import { OwnAddresses } from '../../../src/node/own-addresses.ts';
import { TUN_STRIDE, TunDevice } from '../../../src/node/tun.ts';

/** A stand-in for the CGA of a prefix: recognisable, and another one for each collision count. */
export function formAddress(prefix: Uint8Array, collisionCount: number): Address {
  return Uint8Array.of(...prefix, 0x38, 0x4c, 0, 0, 0, 0, 0, collisionCount);
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

/** Of packets that observation counts apart. */
const CLASSES: readonly FlowClass[] = [
  { prefix: { address: address('2001:db8:1::b'), length: 128 }, port: 9_000, counts: true },
  { port: 9_001, counts: false },
  { prefix: { address: address('2001:db8:1::c'), length: 128 }, port: 9_002, counts: true },
];

const route = NetlinkSocket.open('route');
const problems: string[] = [];
const onProblem = (problem: LociError): void => {
  problems.push(`${problem.code} ${problem.message}`);
};
let monitor: LocatorMonitor | undefined;
let own: OwnAddresses | undefined;
let interception: Interception | undefined;
let tun: TunDevice | undefined;
let observation: PacketObservation | undefined;
let tunPackets = 0;
let wakes = 0;
const changes: { at: number; locators: unknown }[] = [];

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not started');
  return value;
}

function pair(source: string, destination: string): ObservedPair {
  return { source: address(source), destination: address(destination) };
}

/** Counts by the text of source and destination. */
function collected(list: (visit: CountVisitor) => void): Record<string, number> {
  const counts: Record<string, number> = {};
  list((octets, at, packets) => {
    const text = [at, at + 16].map((from) => formatAddress(octets.subarray(from, from + 16))).join(' ');
    counts[text] = packets;
  });
  return counts;
}

function locators(): unknown {
  return need(monitor).locators.map((l) => ({
    ...l,
    address: formatAddress(l.address),
    gateway: l.gateway === undefined ? undefined : formatAddress(l.gateway.address),
  }));
}

function listed<T>(request: Uint8Array, parse: (message: Uint8Array) => Parsed<T>): T[] {
  return route.exchange(request).map((message) => {
    const parsed = parse(message);
    if (!parsed.ok) throw new Error(`a message of the kernel was refused at ${String(parsed.at)}`);
    return parsed.value;
  });
}

function prefixText({ address: prefix, length }: Prefix): string {
  return `${formatAddress(prefix)}/${String(length)}`;
}

const commands: Record<string, (...parameters: never[]) => unknown> = {
  monitor(include?: string[]) {
    const selects = (name: string): boolean => name !== 'loci0' && (include?.includes(name) ?? true);
    const opened = LocatorMonitor.open(selects, () => performance.now());
    opened.onChange(() => changes.push({ at: Date.now(), locators: locators() }));
    monitor = opened;
  },
  locators,
  changes: () => changes.splice(0),
  ownAddresses() {
    const identities = [{ name: undefined, formAddress, isOn: () => true }];
    const opened = new OwnAddresses({ route, picture: need(monitor).picture, identities, onProblem });
    own = opened;
    need(monitor).onChange((change) => {
      opened.update(change);
    });
    opened.update({ locators: need(monitor).locators, departed: [] });
  },
  own: () => need(own).all.map((o) => ({ ...o, address: formatAddress(o.address) })),
  closeOwn() {
    need(own).close();
  },
  tun() {
    const opened = TunDevice.open('loci0', 1500);
    const space = batch(8, TUN_STRIDE);
    opened.onReadable(() => {
      const count = opened.read(space);
      for (let i = 0; i < count; i++)
        if (space.slab[(space.meta[i * FIELDS + OFFSET] ?? 0) + 24] !== 0xff) tunPackets++;
    });
    tun = opened;
    return opened.index;
  },
  intercept(numbers: object = {}) {
    const opened = Interception.open({
      route,
      picture: need(monitor).picture,
      tunIndex: need(tun).index,
      numbers: { ...DEFAULT_NUMBERS, ...numbers },
      rtoMinMs: 50,
      mtu: () => 1400,
      onProblem,
    });
    interception = opened;
    need(monitor).onChange((change) => {
      opened.setLocators(change.locators);
    });
    opened.setLocators(need(monitor).locators);
    return opened.leftovers;
  },
  /** Packets that the kernel sent into the device, without its own multicast. */
  tunPackets: () => tunPackets,
  async divert(from: string, to: string) {
    const begin = performance.now();
    need(interception).divert(address(from), address(to));
    await Promise.resolve(); // the end of this turn
    return performance.now() - begin;
  },
  /** In one turn from `from` to as many peers; the longest time in milliseconds that anything else had to wait, and all of it. */
  async divertMany(from: string, count: number, isOn = true) {
    const peers = Array.from({ length: count }, (_, i) => address(`2001:db8:9:${(i + 1).toString(16)}::b`));
    const begin = performance.now();
    for (const peer of peers) {
      if (isOn) need(interception).divert(address(from), peer);
      else need(interception).undivert(address(from), peer);
    }
    let isDone = false;
    need(interception).afterwards(() => {
      isDone = true;
    });
    let longest = 0;
    for (let before = begin; !isDone;) {
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, performance.now() - before);
      before = performance.now();
    }
    return { longest, total: performance.now() - begin };
  },
  /** Microseconds that the kernel takes to find the route of a packet. */
  lookUp(to: string) {
    const asked = lookUpRoute(address(to));
    const begin = performance.now();
    for (let i = 0; i < 200; i++) route.exchange(asked);
    return (performance.now() - begin) * 5;
  },
  undivert(from: string, to: string) {
    need(interception).undivert(address(from), address(to));
  },
  establish(...peers: string[]) {
    need(interception).establish(peers.map(address));
  },
  release(...peers: string[]) {
    need(interception).release(peers.map(address));
  },
  keep(identifier: string) {
    need(interception).keepIdentifier(address(identifier));
  },
  releaseIdentifier(identifier: string) {
    need(interception).releaseIdentifier(address(identifier));
  },
  observe(tunIndex?: number, hasLog = true) {
    if (tunIndex === undefined) tun ??= TunDevice.open('loci0', 1500);
    observation = PacketObservation.open({
      tunIndex: tunIndex ?? need(tun).index,
      mark: DEFAULT_NUMBERS.mark,
      exemptPorts: [53],
      hasLog,
      classes: CLASSES,
    });
  },
  seenOf(index: number) {
    const counts: Record<string, [packets: number, octets: number]> = {};
    need(observation).seenOf(index, (octets, at, packets, bytes) => {
      const ends = [octets.slice(at, at + 16), octets.slice(at + 16, at + 32)];
      counts[ends.map(formatAddress).join(' ')] = [packets, bytes];
    });
    return counts;
  },
  setOwn(...addresses: string[]) {
    need(observation).setOwn(addresses.map(address));
  },
  watch(source: string, destination: string) {
    need(observation).watch(pair(source, destination));
  },
  watchMany(source: string, count: number) {
    const pairs = Array.from({ length: count }, (_, i) => pair(source, `2001:db8:1::${(i + 1).toString(16)}`));
    need(observation).watch(...pairs);
  },
  unwatch(source: string, destination: string) {
    need(observation).unwatch(pair(source, destination));
  },
  counters: () =>
    collected((visit) => {
      need(observation).counters(visit);
    }),
  countersOf: (source: string, destination: string) =>
    collected((visit) => {
      need(observation).countersOf([pair(source, destination)], visit);
    }),
  /** Lists, and waits for a packet when there is nothing. */
  rest() {
    const counts = collected((visit) => {
      need(observation).counters(visit);
    });
    return need(observation).rest(() => wakes++) ? 'resting' : counts;
  },
  restFromOthers() {
    need(observation).forgetOthers();
    return need(observation).restFromOthers(() => wakes++);
  },
  /** Be another program that has a group of nfnetlink_log. */
  takeLog: () => PacketLog.open()?.group,
  wakes: () => wakes,
  seen: () =>
    collected((visit) => {
      need(observation).seen(visit);
    }),
  close() {
    interception?.close();
    own?.close();
    tun?.close();
  },
  links: () => listed(listLinks(), parseLink),
  rules: () => listed(listRules(), parseRule),
  routes: (table: number) =>
    listed(listRoutes(), parseRoute)
      .filter((r) => r.table === table)
      .map((r) => ({
        ...r,
        to: prefixText(r.destination),
        from: prefixText(r.source),
        source: r.preferredSource === undefined ? undefined : formatAddress(r.preferredSource),
        hops: r.nextHops.map((hop) => (hop.gateway === undefined ? undefined : formatAddress(hop.gateway))),
      })),
  cleanUp: () => cleanUp(route),
  problems: () => problems,
};

process.on('message', ({ id, command, parameters }: { id: number; command: string; parameters: never[] }) => {
  void (async () => {
    try {
      process.send?.({ id, value: await commands[command]?.(...parameters) });
    } catch (error) {
      const { code, message } = error as LociError;
      process.send?.({ id, error: { code, message } });
    }
  })();
});
