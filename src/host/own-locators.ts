import type { OwnLocator } from '../shim6/context-io.ts';
import { formatAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEvent } from './events.ts';
import type { HostLocator } from './host-io.ts';

/** Priority of locators that are about to go: after all others (RFC 5533 §5.15.3: lower values first). */
const DEPRECATED_PRIORITY = 100;
/** Of a locator that is to stay idle; from a peer it means the same to us. */
export const BACKUP_PRIORITY = 50;

/**
 * Ls(local) for a context, RFC 5533 §2.2: the identifier first, whatever became of it (then BROKEN), and every address
 * that is bound to the key of the same identity. Tentative addresses are not locators yet (RFC 5534 §3.1).
 */
export function ownLocators(locators: readonly HostLocator[], ulid: Address, identity?: string): OwnLocator[] {
  const usable = locators.filter(
    (locator) => locator.parameters !== undefined && locator.state !== 'tentative' && locator.identity === identity,
  );
  const own = usable.find((locator) => sameOctets(locator.address, ulid));
  const rest = usable.filter((locator) => locator !== own);
  const method = usable[0]?.method ?? 'cga'; // that of a set whose key may be none
  const first: OwnLocator =
    own === undefined ? { ...NOTHING_SPECIAL, method, address: ulid, broken: true } : ownLocator(own);
  return [first, ...rest.map(ownLocator)];
}

const NOTHING_SPECIAL = { method: 'cga', broken: false, transient: false, priority: 0, weight: 0 } as const;

function ownLocator(locator: HostLocator): OwnLocator {
  const priority =
    locator.state === 'deprecated'
      ? DEPRECATED_PRIORITY
      : locator.backup === true
        ? BACKUP_PRIORITY
        : Math.min(locator.cost ?? 0, BACKUP_PRIORITY - 1);
  return {
    ...NOTHING_SPECIAL,
    address: locator.address,
    method: locator.method ?? 'cga',
    broken: !locator.operational,
    transient: locator.state === 'deprecated',
    priority,
  };
}

/** What changed between two pictures of the locators. */
export function locatorEvents(before: readonly HostLocator[], after: readonly HostLocator[], at: Instant): HostEvent[] {
  const events: HostEvent[] = [];
  const tell = (locator: HostLocator, change: Extract<HostEvent, { event: 'locator' }>['change']): void => {
    events.push({ at, event: 'locator', address: formatAddress(locator.address), change });
  };
  for (const locator of after) {
    const old = before.find((one) => sameOctets(one.address, locator.address));
    if (old === undefined) tell(locator, 'added');
    if (old !== undefined && old.state !== locator.state && locator.state !== 'tentative') tell(locator, locator.state);
    if (old !== undefined && old.operational !== locator.operational)
      tell(locator, locator.operational ? 'up' : 'down');
  }
  for (const locator of before) {
    if (!after.some((one) => sameOctets(one.address, locator.address))) tell(locator, 'removed');
  }
  return events;
}
