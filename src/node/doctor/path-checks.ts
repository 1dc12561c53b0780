import { formatAddress } from '../../wire/address.ts';
import {
  DESTINATION_UNREACHABLE,
  PARAMETER_PROBLEM,
  TIME_EXCEEDED,
  UNRECOGNIZED_NEXT_HEADER,
} from '../../wire/icmpv6.ts';
import { IPV6_MINIMUM_MTU } from '../../wire/ipv6.ts';
import type { LocalLocator } from '../network-picture.ts';
import { Checks } from './check.ts';
import type { Check } from './check.ts';
import type { Outcome, ProbePath } from './probe.ts';

const ADMINISTRATIVELY_PROHIBITED = 1; // RFC 4443 §3.1
const PAYLOAD_HEADER_LENGTH = 8; // RFC 5533 §5.1

/** What echoes of several sizes showed about a path, in octets. */
export interface MtuFindings {
  readonly link: number;
  /** Largest packet that was answered. */
  readonly largest: number | undefined;
  /** Smallest size that a router asked for. */
  readonly told: number | undefined;
}

/** The words for what came of an echo to the gateway of a locator. */
export function gatewayCheck(locator: LocalLocator, outcome: Outcome | undefined): Check {
  const { interface: name, gateway } = locator;
  const checks = new Checks('gateway', { locator: formatAddress(locator.address), interface: name });
  if (gateway === undefined || outcome === undefined) {
    return checks.warning(
      `${name} has no default route, so only its own link can be reached from there`,
      `ip -6 route add default via ROUTER dev ${name}, or let the router announce itself`,
    );
  }
  const router = formatAddress(gateway.address);
  if (outcome.kind === 'answer') return checks.ok(`the gateway ${router} on ${name} answers`);
  const look = `see whether it is known and reachable: ip -6 neigh show dev ${name}; ping -6 ${router}%${name}`;
  if (outcome.kind === 'refused')
    return checks.failed(`this host cannot send to ${router} on ${name} (${outcome.reason})`, look);
  return checks.failed(
    `the gateway ${router} on ${name} does not answer an echo from ${formatAddress(locator.address)}`,
    look,
  );
}

/** The words for reachability and path MTU. */
export function pathCheck(path: ProbePath, plain: Outcome, { link, largest, told }: MtuFindings): Check {
  const [from, to] = [formatAddress(path.source), formatAddress(path.destination)];
  const checks = new Checks('path', { locator: from, peer: to, interface: path.interface });
  if (plain.kind !== 'answer') {
    return checks.failed(
      `no echo passes between ${from} and ${to}: ${wording(plain)}`,
      `ping -6 -I ${from} ${to}; ip -6 route get ${to} from ${from}`,
    );
  }
  if (largest === undefined || (largest < link && told === undefined)) {
    const limit =
      largest === undefined
        ? `${String(IPV6_MINIMUM_MTU)} octets do not pass`
        : `more than ${String(largest)} octets vanish`;
    return checks.warning(
      `between ${from} and ${to} ${limit} without a Packet Too Big: path MTU discovery is broken`,
      `let ICMPv6 type 2 through on the way (RFC 4890 §4.3.1), or: ip link set dev ${path.interface} mtu ${String(largest ?? IPV6_MINIMUM_MTU)}`,
    );
  }
  const mtu = Math.max(largest, Math.min(told ?? largest, link));
  if (mtu < IPV6_MINIMUM_MTU + PAYLOAD_HEADER_LENGTH) {
    return checks.warning(
      `the path MTU between ${from} and ${to} is ${String(mtu)}, too small for 8 octets more: large packets go in fragments after a move`,
      `give the tunnel on the way an MTU of ${String(IPV6_MINIMUM_MTU + PAYLOAD_HEADER_LENGTH)} or more: ip link set dev TUNNEL mtu 1400`,
    );
  }
  return checks.ok(`the path MTU between ${from} and ${to} is ${String(mtu)}`);
}

/** The words for what came of a Shim6 I1; `passes`: echoes came through; `furthest`: the last router that it reached. */
export function shim6Check(path: ProbePath, outcome: Outcome, passes: boolean, furthest?: string): Check {
  const [from, to] = [formatAddress(path.source), formatAddress(path.destination)];
  const checks = new Checks('shim6', { locator: from, peer: to, interface: path.interface });
  if (outcome.kind === 'answer')
    return checks.ok(`${to} speaks Shim6 with ${from} (R1 after ${outcome.afterMs.toFixed(1)} ms)`);
  if (isUnrecognized(outcome)) {
    if (outcome.from !== to)
      return checks.failed(`${outcome.from} refuses IP protocol 140 from ${from} to ${to}`, blame(140, outcome.from));
    return checks.warning(
      `protocol 140 reaches ${to} from ${from}, but ${to} does not speak Shim6`,
      `start it there: locid --config /etc/loci/locid.toml`,
    );
  }
  return (
    notPassed(checks, 140, path, outcome, passes, furthest) ??
    checks.skipped(`nothing passes between ${from} and ${to}, so nothing is known about protocol 140`)
  );
}

/** The words for what came of a HIP I1. Loci does not need HIP, so nothing of this is a failure. */
export function hipCheck(path: ProbePath, outcome: Outcome, passes: boolean): Check {
  const [from, to] = [formatAddress(path.source), formatAddress(path.destination)];
  const checks = new Checks('hip', { locator: from, peer: to, interface: path.interface });
  if (outcome.kind === 'answer') return checks.ok(`${to} speaks HIP with ${from}`);
  if (isUnrecognized(outcome) && outcome.from === to)
    return checks.ok(`protocol 139 reaches ${to} from ${from}; it does not speak HIP`);
  const problem = notPassed(checks, 139, path, outcome, passes, undefined);
  if (problem === undefined)
    return checks.skipped(`nothing passes between ${from} and ${to}, so nothing is known about protocol 139`);
  return { ...problem, status: 'warning' };
}

/** `undefined` when not even echoes pass. */
function notPassed(
  checks: Checks,
  protocol: number,
  path: ProbePath,
  outcome: Outcome,
  passes: boolean,
  furthest: string | undefined,
): Check | undefined {
  const [from, to] = [formatAddress(path.source), formatAddress(path.destination)];
  const what = `IP protocol ${String(protocol)} from ${from} to ${to}`;
  if (outcome.kind === 'refused') {
    if (!passes && outcome.reason !== 'Operation not permitted') return undefined;
    return checks.failed(`this host does not send ${what} (${outcome.reason})`, blame(protocol, 'this host'));
  }
  if (outcome.kind === 'error') {
    if (outcome.type === DESTINATION_UNREACHABLE && (passes || outcome.code === ADMINISTRATIVELY_PROHIBITED))
      return checks.failed(
        `a firewall on ${outcome.from} rejects ${what} (${wording(outcome)})`,
        blame(protocol, outcome.from),
      );
    return passes
      ? checks.failed(`${what} is refused by ${outcome.from} (${wording(outcome)})`, blame(protocol, outcome.from))
      : undefined;
  }
  if (!passes) return undefined;
  const where = furthest === undefined ? 'somewhere' : `behind ${furthest}`;
  return checks.failed(
    `echoes pass, but ${what} is dropped ${where}, or not answered by a peer that will not`,
    blame(protocol, furthest === undefined ? 'the firewall on the way, or on the peer' : 'the firewall there'),
  );
}

function blame(protocol: number, place: string): string {
  return `on ${place}, let it through: nft insert rule inet TABLE CHAIN meta l4proto ${String(protocol)} accept`;
}

function isUnrecognized(outcome: Outcome): outcome is Extract<Outcome, { kind: 'error' }> {
  return outcome.kind === 'error' && outcome.type === PARAMETER_PROBLEM && outcome.code === UNRECOGNIZED_NEXT_HEADER;
}

const UNREACHABLE: readonly string[] = [
  'no route',
  'administratively prohibited',
  'beyond the scope of the source',
  'address unreachable',
  'port unreachable',
  'the source failed a policy',
  'the route rejects',
];

/** What came back, in words (RFC 4443 §3). */
export function wording(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'answer':
      return 'answered';
    case 'silence':
      return 'silence';
    case 'refused':
      return outcome.reason;
    case 'error': {
      const { type, code, from } = outcome;
      if (type === DESTINATION_UNREACHABLE)
        return `${from} says: ${UNREACHABLE[code] ?? `unreachable, code ${String(code)}`}`;
      if (type === TIME_EXCEEDED) return `${from} says: too many hops`;
      return `${from} says: ICMPv6 type ${String(type)} code ${String(code)}`;
    }
  }
}
