import { addressKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { isIpv4Mapped } from '../wire/ipv4.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { Session } from './session.ts';

/** Where payload goes now, RFC 8046 §5.6: how much, while the address is not verified. */
export function pathSelected(session: Session, now: Instant): AssociationEffect {
  const isVerified = session.peers.statusOf(session.path.peer) === 'ACTIVE';
  return { type: 'path-selected', path: session.path, credit: isVerified ? undefined : session.credit.left(now) };
}

/** LOCATOR_SET of R1, I2 or R2, RFC 8047 §4.2.8: it adds to the address of the exchange. Nothing when there is none. */
export function learnFrom(session: Session, packet: ReceivedPacket, now: Instant): AssociationEffect[] {
  const locators = parameterOf(packet, 'LOCATOR_SET')?.locators;
  if (locators === undefined || !session.peers.learn(locators, now, true).isChanged) return [];
  return [peerLocators(session)];
}

export function peerLocators(session: Session): AssociationEffect {
  return { type: 'peer-locators', locators: session.peers.list() };
}

/** REAP has shown that the peer is at an address of its list. */
export function trusted(session: Session, address: Address, now: Instant): AssociationEffect[] {
  if (!session.peers.confirm(address)) return [];
  const isCurrent = sameOctets(address, session.path.peer);
  return [peerLocators(session), ...(isCurrent ? [pathSelected(session, now)] : [])];
}

/**
 * After the peer's addresses changed: payload leaves an address that is withdrawn for the best one left, and goes to the preferred
 * one once it is verified (RFC 8046 §5.5).
 */
export function reconsider(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  const current = session.peers.statusOf(session.path.peer);
  const [best] = session.peers.ranked();
  if (best === undefined || addressKey(best) === addressKey(session.path.peer)) return [];
  if (current === 'ACTIVE' && !isBetter(session, best)) return [];
  const path = pathTo(core, session, best);
  if (path === undefined) return [];
  session.path = path;
  return [pathSelected(session, now)];
}

/** Preferred and verified, while the address in use is not preferred. */
function isBetter(session: Session, best: Address): boolean {
  const facts = session.peers.list();
  const of = (address: Address): boolean =>
    facts.some((one) => sameOctets(one.address, address) && one.isPreferred && one.status === 'ACTIVE');
  return of(best) && !of(session.path.peer);
}

/** The path to an address of the peer: from our own one in use if the family fits, or from the preferred one of its family. */
export function pathTo(core: AssociationCore, session: Session, peer: Address): HipPath | undefined {
  const local = localFor(core, session.path.local, peer);
  if (local === undefined) return undefined;
  const { carriage, peerPort } = session.path;
  return { local, peer, carriage, peerPort };
}

function localFor(core: AssociationCore, current: Address, peer: Address): Address | undefined {
  const isV4 = isIpv4Mapped(peer);
  const fitting = core.locators.filter(({ address }) => isIpv4Mapped(address) === isV4);
  const has = fitting.some(({ address }) => sameOctets(address, current));
  if (has || (core.locators.length === 0 && isIpv4Mapped(current) === isV4)) return current;
  return (fitting.find(({ isPreferred }) => isPreferred) ?? fitting[0])?.address;
}

/** A path from where this host no longer is, mended: to the same address from another one of ours. */
export function mended(core: AssociationCore, session: Session, path: HipPath): HipPath {
  if (core.locators.length === 0 || core.hasAddress(path)) return path;
  const local = localFor(core, session.path.local, path.peer);
  return local === undefined ? path : { ...path, local };
}

/** Every path that there could be, best first, for what has to arrive (RFC 8046 §3.2.3: one common path is enough). */
export function allPaths(core: AssociationCore, session: Session): HipPath[] {
  const { carriage, peerPort, local } = session.path;
  const own = core.locators.map(({ address }) => address);
  const locals = [
    ...own.filter((address) => sameOctets(address, local)),
    ...own.filter((address) => !sameOctets(address, local)),
  ];
  const peers = session.peers.ranked();
  const current = [session.path.peer, ...peers.filter((address) => !sameOctets(address, session.path.peer))];
  const paths = current.flatMap((peer) =>
    locals
      .filter((address) => isIpv4Mapped(address) === isIpv4Mapped(peer))
      .map((address) => ({ local: address, peer, carriage, peerPort })),
  );
  return paths.length > 0 ? paths : [session.path];
}

/** RFC 8046 §5.2: our addresses are others now. Payload leaves an address that is gone at once; SAs are found by SPI alone. */
export function moveOwnSide(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  if (core.locators.length === 0 || core.hasAddress(session.path)) return [];
  const [path] = [session.path.peer, ...session.peers.ranked()].flatMap((peer) => pathTo(core, session, peer) ?? []);
  if (path === undefined) return [];
  session.path = path;
  return [pathSelected(session, now)];
}
