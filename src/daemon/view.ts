import type { HostEvent, PairText } from '../host/events.ts';
import type { Identity } from '../host/contexts.ts';
import type { HostContext } from '../host/host-context.ts';
import type { Host } from '../host/host.ts';
import type { Wish } from '../host/wish.ts';
import { LociError } from '../node/error.ts';
import { showAssociations, showEspKeys } from '../host/show-associations.ts';
import type { AssociationSnapshot, EspKeysSnapshot } from '../host/show-associations.ts';
import { showContexts, showLocators, showPaths } from '../host/show.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from '../host/snapshot.ts';
import { samePair } from '../locators/pair.ts';
import type { Shell } from '../node/shell.ts';
import { formatAddress, parseAddress, sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { Profile } from './config.ts';
import type { HipService } from './hip-service.ts';
import type { Control, StatusSnapshot, TextWish } from './protocol.ts';
import { VERSION } from './version.ts';

/** What of the loop is shown, and told. */
type ShownShell = Pick<Shell, 'input' | 'lag' | 'packets'>;

/** What the control socket shows of a host at work. */
export class DaemonView implements Control {
  #profile: Profile;
  readonly #host: Host;
  readonly #shell: ShownShell;
  readonly #now: () => Instant;
  readonly #started: Instant;
  readonly #hip: HipService | undefined;
  readonly #listeners = new Set<(event: HostEvent) => void>();

  constructor(profile: Profile, host: Host, shell: ShownShell, now: () => Instant, hip?: HipService) {
    this.#hip = hip;
    this.#profile = profile;
    this.#host = host;
    this.#shell = shell;
    this.#now = now;
    this.#started = now();
  }

  /** The configuration was read again. */
  reconfigured(profile: Profile): void {
    this.#profile = profile;
  }

  publish(event: HostEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  status(): StatusSnapshot {
    const contexts: Record<string, number> = {};
    for (const { context } of this.#host.contexts) contexts[context.state] = (contexts[context.state] ?? 0) + 1;
    const { locators } = this.#host;
    return {
      version: VERSION,
      pid: process.pid,
      uptimeMs: Math.round(this.#now() - this.#started),
      profile: this.#profile,
      mode: 'tun',
      contexts,
      locators: { total: locators.length, operational: locators.filter((locator) => locator.operational).length },
      counters: { packets: { ...this.#shell.packets }, drops: Object.fromEntries(this.#host.drops) },
      loopLagMs: { ...this.#shell.lag },
    };
  }

  contexts(): Iterable<readonly ContextSnapshot[]> {
    return showContexts(this.#host, this.#now);
  }

  locators(): LocatorSnapshot[] {
    return showLocators(this.#host);
  }

  associations(): AssociationSnapshot[] {
    return this.#hip === undefined ? [] : showAssociations(this.#hip.host, this.#now());
  }

  espKeys(): EspKeysSnapshot[] {
    if (this.#hip?.keyLog === undefined)
      throw new LociError('not-enabled', 'keys are shown only where hip.keylog is set in the configuration');
    return showEspKeys(this.#hip.host);
  }

  paths(): Iterable<readonly PathSnapshot[]> {
    return showPaths(this.#host, this.#now);
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(ulids: PairText | undefined): number {
    const wanted = ulids?.map((text) => parseAddress(text));
    const [local, peer] = wanted ?? [];
    const closed = [...this.#host.contexts].filter(
      (context) =>
        ulids === undefined || (local !== undefined && peer !== undefined && samePair(context.ulids, { local, peer })),
    );
    for (const { ulids: between, forkedInstanceId } of closed)
      this.#shell.input({ type: 'close', ulids: between, forkedInstanceId });
    return closed.length;
  }

  wish(peerText: string, wish: TextWish): number {
    const peer = parseAddress(peerText);
    const between = [...this.#host.contexts].filter(
      ({ ulids, isStanding }) => isStanding && peer !== undefined && sameOctets(ulids.peer, peer),
    );
    if (between.length === 0) throw new LociError('unknown-context', `there is no context with ${peerText}`);
    for (const context of between)
      this.#shell.input({ type: 'wish', ...identityOf(context), wish: wishOf(wish, context) });
    return between.length;
  }
}

function identityOf({ ulids, forkedInstanceId }: HostContext): Identity {
  return { ulids, forkedInstanceId };
}

function wishOf(wish: TextWish, { pairs }: HostContext): Wish {
  if (wish.type !== 'prefer') return wish;
  if (wish.pair === null) return { type: 'prefer', pair: undefined };
  const [local, remote] = wish.pair;
  const pair = pairs.find((one) => formatAddress(one.local) === local && formatAddress(one.peer) === remote);
  if (pair === undefined)
    throw new LociError(
      'unknown-locator',
      `${local} and ${remote} are no pair of a context with this peer; see: loci paths`,
    );
  return { type: 'prefer', pair };
}
