import type { Random } from '../../crypto/ports.ts';
import { PACKET_TOO_BIG, TIME_EXCEEDED } from '../../wire/icmpv6.ts';
import { IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU } from '../../wire/ipv6.ts';
import type { LocalLocator } from '../network-picture.ts';
import type { Check } from './check.ts';
import { gatewayCheck, hipCheck, pathCheck, shim6Check } from './path-checks.ts';
import type { MtuFindings } from './path-checks.ts';
import { echo, hipI1, shim6I1 } from './probe.ts';
import type { Outcome, Probe, ProbePath } from './probe.ts';

/** What paths are probed with: `Prober`. */
export interface ProbePort {
  probe(probe: Probe): Promise<Outcome>;
}

/** Packet sizes that occur on paths, RFC 8200 §5 at the least: tunnels, PPPoE, mobile networks. */
const SIZES: readonly number[] = [1492, 1480, 1472, 1460, 1440, 1420, 1400, 1380, 1350, 1300, IPV6_MINIMUM_MTU];

/** Routers on the way to a peer that are asked how far a packet came. */
const HOPS = 16;

const SMALL = IPV6_HEADER_LENGTH + 64;

/** Does the gateway of a locator answer? */
export async function checkGateway(prober: ProbePort, locator: LocalLocator, random: Random): Promise<Check> {
  const { gateway, address, interface: name } = locator;
  if (gateway === undefined) return gatewayCheck(locator, undefined);
  const path = { source: address, destination: gateway.address, interface: name };
  return gatewayCheck(locator, await prober.probe(echo(path, random, SMALL, 1)));
}

/** What passes between a locator and an address of a peer. */
export async function checkPath(prober: ProbePort, path: ProbePath, mtu: number, random: Random): Promise<Check[]> {
  const [plain, shim6, hip, sizes] = await Promise.all([
    prober.probe(echo(path, random, SMALL)),
    prober.probe(shim6I1(path, random)),
    prober.probe(hipI1(path, random)),
    measure(prober, path, mtu, random),
  ]);
  const passes = plain.kind === 'answer';
  const lost = shim6.kind === 'silence' && passes;
  const furthest = lost ? await lastRouter(prober, path, random) : undefined;
  return [pathCheck(path, plain, sizes), shim6Check(path, shim6, passes, furthest), hipCheck(path, hip, passes)];
}

/** The largest echo that is answered, and the largest size that routers asked for. */
async function measure(prober: ProbePort, path: ProbePath, mtu: number, random: Random): Promise<MtuFindings> {
  const sizes = [mtu, ...SIZES.filter((size) => size < mtu)];
  const outcomes = await Promise.all(sizes.map((size) => prober.probe(echo(path, random, size))));
  const answered = sizes.filter((_, i) => outcomes[i]?.kind === 'answer');
  const told = outcomes.flatMap((o) => (o.kind === 'error' && o.type === PACKET_TOO_BIG ? [o.parameter] : []));
  return {
    link: mtu,
    largest: answered.length === 0 ? undefined : Math.max(...answered),
    told: told.length === 0 ? undefined : Math.min(...told),
  };
}

/** Which router was the last that an I1 reached, as traceroute finds it. */
async function lastRouter(prober: ProbePort, path: ProbePath, random: Random): Promise<string | undefined> {
  const hops = Array.from({ length: HOPS }, (_, i) => i + 1);
  const outcomes = await Promise.all(hops.map((hop) => prober.probe(shim6I1(path, random, hop))));
  const last = outcomes.findLastIndex((outcome) => outcome.kind === 'error' && outcome.type === TIME_EXCEEDED);
  const outcome = outcomes[last];
  return outcome?.kind === 'error' ? `${outcome.from} (hop ${String(last + 1)})` : undefined;
}
