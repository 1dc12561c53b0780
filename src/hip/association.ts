import { sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { AssociationCore } from './association-core.ts';
import type { AssociationConfiguration } from './association-core.ts';
import type {
  AssociationEffect,
  AssociationInput,
  AssociationStateName,
  HipPath,
  PeerAgreement,
  PeerHipLocator,
} from './association-io.ts';
import { ASSOCIATION_TRANSITIONS } from './association-transitions.ts';
import type { AssociationAction } from './association-transitions.ts';
import { receiveClose, receiveCloseAck, retryClose, sendClose } from './closing.ts';
import { accept, confirm, establish } from './establish.ts';
import { connect, pursue, receiveR1, retryI2, solved, unsolvable } from './initiator.ts';
import { moveOwnSide, pathSelected, peerLocators, reconsider, trusted } from './mobility.ts';
import { receiveNotify, sendReap } from './notify.ts';
import { compareHits } from './orchid.ts';
import type { Hit } from './parameter.ts';
import { abandonRekey, finishRekey, retireOld } from './rekey.ts';
import { drop } from './responder.ts';
import { Session } from './session.ts';
import { pump, receiveUpdate, repeatUpdates } from './update.ts';

export type { AssociationConfiguration } from './association-core.ts';

/** An IPv6 header: HIP packets count for credit as whole packets, as payload does (RFC 8046 §5.6.1). */
const HEADER_LENGTH = 40;

/** One HIP association, RFC 7401 §4.4 and §6: what may happen in which state is in `association-transitions.ts`. */
export class Association {
  readonly #core: AssociationCore;

  constructor(configuration: AssociationConfiguration) {
    this.#core = new AssociationCore(configuration);
  }

  get hits(): { readonly own: Hit; readonly peer: Hit } {
    return { own: this.#core.own.hit, peer: this.#core.peerHit };
  }

  get state(): AssociationStateName {
    return this.#core.state.name;
  }

  /** Where payload goes, once there are keys. */
  get path(): HipPath | undefined {
    return this.#core.session?.path;
  }

  get peer(): PeerAgreement | undefined {
    return this.#core.session?.describe(this.#core.settings);
  }

  get peerLocators(): readonly PeerHipLocator[] {
    return this.#core.session?.peers.list() ?? [];
  }

  /** A rekey is under way or waits. */
  get isRekeying(): boolean {
    const { session } = this.#core;
    return session?.rekey !== undefined || session?.wantsRekey !== undefined;
  }

  /** When `tick` is next due; `Infinity` when nothing is pending. Calling early is harmless. */
  get deadline(): Instant {
    return this.#core.deadline;
  }

  handle(input: AssociationInput, now: Instant): AssociationEffect[] {
    const core = this.#core;
    const row = ASSOCIATION_TRANSITIONS[core.state.name];
    switch (input.type) {
      case 'packet':
        return this.#receive(row[input.packet.type].action, input, now);
      case 'tick':
        return now < this.deadline ? [] : this.#timeout(now);
      case 'connect':
        return row.connect.action === 'ignore' ? [] : [...this.#leave(), ...connect(core, input.paths, now)];
      case 'solved':
        return solved(core, input.i, input.j, now);
      case 'unsolvable':
        return unsolvable(core, input.i, now);
      case 'close':
        return this.#close(row.close.action, now);
      case 'payload-received':
        return row.payload.action === 'ignore' ? drop('wrong-state') : this.#payload(input, now);
      case 'own-locators':
        core.locators = input.locators;
        return this.#withKeys((session) => [...moveOwnSide(core, session, now), ...pump(core, session, now)]);
      case 'payload-sent':
        return this.#withKeys(({ credit, path, peers }) => {
          if (peers.statusOf(path.peer) !== 'ACTIVE') credit.spend(input.octets, now);
          core.used(now);
          return [];
        });
      case 'select':
        return this.#withKeys((session) => {
          session.path = input.path;
          return [pathSelected(session, now)];
        });
      case 'verified':
        return this.#withKeys((session) => trusted(session, input.address, now));
      case 'rekey':
        return this.#withKeys((session) => {
          if (session.rekey === undefined) session.wantsRekey ??= { withDh: input.withDh };
          return pump(core, session, now);
        });
      case 'reap-parameter':
        return this.#withKeys((session) => sendReap(core, session, input.path, input.octets));
    }
  }

  #receive(
    action: AssociationAction,
    { packet, path }: Extract<AssociationInput, { readonly type: 'packet' }>,
    now: Instant,
  ): AssociationEffect[] {
    const core = this.#core;
    const { own, peerHit, responder, state, session } = core;
    const isOurs = sameOctets(packet.senderHit, peerHit) && sameOctets(packet.receiverHit, own.hit);
    if (!isOurs && !(packet.type === 'I1' && sameOctets(packet.senderHit, peerHit))) return drop('hit');
    const isLarger = compareHits(own.hit, peerHit) > 0;
    switch (action) {
      case 'answer R1 if larger': // §6.7 step 3
        return isLarger ? responder.answer(packet, path, now) : drop('collision');
      case 'answer R1':
        return responder.answer(packet, path, now);
      case 'send I2':
      case 'send I2 if waiting':
        return receiveR1(core, packet, path, now);
      case 'accept if larger': // §6.9 step 5
        return isLarger ? accept(core, packet, path, now) : drop('collision');
      case 'accept':
      case 'accept or repeat':
        return accept(core, packet, path, now);
      case 'establish':
        return state.name === 'I2-SENT' ? establish(core, state.i2, packet, path, now) : drop('wrong-state');
      case 'note':
        return receiveNotify(core, packet, path, now);
      case 'answer CLOSE_ACK':
        return this.#closed(packet, path, now);
      default:
    }
    if (session === undefined) return drop('wrong-state');
    switch (action) {
      case 'confirm':
      case 'update': {
        const effects = receiveUpdate(core, session, packet, path, now);
        if (effects.every(({ type }) => type === 'drop')) return effects;
        session.credit.earn(packet.octets.length + HEADER_LENGTH, now);
        return [...confirm(core, now), ...effects];
      }
      case 'end':
        return receiveCloseAck(core, session, 'nonce' in state ? state.nonce : undefined, packet);
      default:
        return drop('wrong-state');
    }
  }

  /** The peer has our I2 and does not want us: its keys are those of the I2. */
  #closed(packet: Parameters<typeof receiveClose>[2], path: HipPath, now: Instant): AssociationEffect[] {
    const core = this.#core;
    const { state, session } = core;
    if (session !== undefined) return receiveClose(core, session, packet, path, now);
    if (state.name !== 'I2-SENT') return drop('wrong-state');
    const { agreement, espKeys, spiIn } = state.i2;
    const spis = { in: spiIn, out: 0 };
    const provisional = new Session(agreement, spis, espKeys.nextIndex, path, core.settings, now);
    return receiveClose(core, provisional, packet, path, now);
  }

  #timeout(now: Instant): AssociationEffect[] {
    const core = this.#core;
    const { state, timers } = core;
    switch (state.name) {
      case 'UNASSOCIATED':
        return [];
      case 'I1-SENT':
        return pursue(core, state.attempt, now);
      case 'I2-SENT':
        return retryI2(core, state.i2, now);
      case 'CLOSING':
        if (now >= state.until) return core.discard('timeout');
        return timers.take(now) === 'close' ? retryClose(core, state, now) : [];
      case 'CLOSED':
        if (now >= state.until) return core.discard('timeout');
        return state.attempt === undefined ? [] : pursue(core, state.attempt, now);
      case 'E-FAILED':
        return core.discard('failed');
      case 'R2-SENT':
      case 'ESTABLISHED':
        return this.#keep(state.session, now);
    }
  }

  /** Whatever is due while there are keys. */
  #keep(session: Session, now: Instant): AssociationEffect[] {
    const core = this.#core;
    const { timers } = core;
    if (timers.at('unused') <= now) return sendClose(core, session, now); // UAL
    const out: AssociationEffect[] = [];
    if (timers.at('exchange-complete') <= now) out.push(...confirm(core, now));
    const repeated = repeatUpdates(core, session, now);
    if (repeated === undefined) return [...out, ...sendClose(core, session, now)]; // §6.11 step 4
    out.push(...repeated, ...retireOld(session, now));
    if (session.rekey !== undefined && session.rekey.until <= now) out.push(...abandonRekey(session));
    if (session.peers.expire(now)) out.push(peerLocators(session), ...reconsider(core, session, now));
    return [...out, ...pump(core, session, now)];
  }

  #payload(
    { spi, octets }: Extract<AssociationInput, { readonly type: 'payload-received' }>,
    now: Instant,
  ): AssociationEffect[] {
    const core = this.#core;
    const { session } = core;
    if (session === undefined) return drop('wrong-state');
    session.credit.earn(octets, now);
    core.used(now);
    const isNew = spi === session.rekey?.ours.spi; // RFC 7402 §6.10: the peer has the new keys
    const finished = isNew ? finishRekey(core, session, now) : [];
    return [...confirm(core, now), ...finished, ...(isNew ? pump(core, session, now) : [])];
  }

  #close(action: AssociationAction, now: Instant): AssociationEffect[] {
    const core = this.#core;
    const { session } = core;
    if (action === 'send CLOSE' && session !== undefined) return sendClose(core, session, now);
    return action === 'give up' ? core.discard('closed') : [];
  }

  /** What is left of an association that another one follows. */
  #leave(): AssociationEffect[] {
    return this.state === 'CLOSING' ? this.#core.retireAll() : [];
  }

  #withKeys(act: (session: Session) => AssociationEffect[]): AssociationEffect[] {
    const { session, isAssociated } = this.#core;
    return session === undefined || !isAssociated ? [] : act(session);
  }
}
