import type { LocatorPair } from '../locators/pair.ts';
import { admit } from '../shim6/admit.ts';
import type { ContextMessage } from '../shim6/context-io.ts';
import type { ErrorMessage, I1, I2, I2bis } from '../shim6/messages.ts';
import { isPayloadHeader, parsePayloadHeader } from '../shim6/payload-header.ts';
import { parseQuoted } from '../shim6/quoted.ts';
import type { QuotedPacket } from '../shim6/quoted.ts';
import { ulidsOf } from '../shim6/received.ts';
import type { ReceivedPacket } from '../shim6/received.ts';
import type { Responder } from '../shim6/responder.ts';
import type { ContextTag } from '../shim6/tag.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { Contexts } from './contexts.ts';
import type { Aside } from './fast-path.ts';
import type { HostContext } from './host-context.ts';
import type { HostEffect } from './host-io.ts';

/** What received packets need from the host. */
export interface ReceptionSurroundings {
  readonly contexts: Contexts;
  readonly responder: Responder;
  isIdentifier(address: Address): boolean;
  /** Whether the sender may have a context. */
  admits(message: I1 | I2 | I2bis, packet: ReceivedPacket): boolean;
  /** A message that may make a context. */
  accept(ulids: LocatorPair, message: I2 | I2bis, packet: ReceivedPacket, now: Instant, out: HostEffect[]): void;
  /** The context that sent the quoted packet. */
  quoting(quoted: QuotedPacket): HostContext | undefined;
  dropped(reason: string): void;
}

/** Gives every Shim6 packet to its context, or answers for the lack of one: RFC 5533 §12.3 and §12.4. */
export class Reception {
  readonly #surroundings: ReceptionSurroundings;

  constructor(surroundings: ReceptionSurroundings) {
    this.#surroundings = surroundings;
  }

  receive(packet: Aside, now: Instant, out: HostEffect[]): void {
    const { responder, dropped } = this.#surroundings;
    if (isPayloadHeader(packet.octets)) {
      const header = parsePayloadHeader(packet.octets);
      if (header.ok) this.#receivePayload(packet, header.value.contextTag, now, out);
      else dropped('malformed');
      return;
    }
    const admission = admit(packet, responder, now);
    if (admission.type === 'transmit') out.push(admission);
    else if (admission.type === 'drop') dropped(admission.reason);
    else this.#dispatch(admission.message, packet, now, out);
  }

  #receivePayload(packet: Aside, tag: ContextTag, now: Instant, out: HostEffect[]): void {
    const context = this.#surroundings.contexts.tagged(tag);
    if (context === undefined) this.#answerR1bis(tag, packet, now, out);
    else context.receivePayload(packet, now, out);
  }

  #dispatch(message: ContextMessage | ErrorMessage, packet: ReceivedPacket, now: Instant, out: HostEffect[]): void {
    const { contexts, dropped } = this.#surroundings;
    switch (message.type) {
      case 'I1':
      case 'I2':
      case 'I2bis': {
        const ulids = ulidsOf(message, packet);
        const context = contexts.of(ulids, message.options.forkedInstanceId ?? 0);
        if (context !== undefined) context.tell({ type: 'message', message, packet }, now, out);
        else this.#receiveFirst(ulids, message, packet, now, out);
        return;
      }
      case 'R1':
      case 'R2':
      case 'R1bis': {
        const candidates =
          message.type === 'R1bis'
            ? contexts.withTagPeer(message.packetContextTag)
            : contexts.withNonce(message.initiatorNonce);
        const context = candidates.find((one) => one.context.matches(message, packet));
        if (context === undefined) dropped('no-match');
        else context.tell({ type: 'message', message, packet }, now, out);
        return;
      }
      case 'UpdateRequest':
      case 'UpdateAcknowledgement':
      case 'Keepalive':
      case 'Probe': {
        const context = contexts.tagged(message.receiverContextTag);
        if (context === undefined) this.#answerR1bis(message.receiverContextTag, packet, now, out);
        else context.tell({ type: 'message', message, packet }, now, out);
        return;
      }
      case 'Error': {
        const quoted = parseQuoted(message.packet);
        const context = quoted === undefined ? undefined : this.#surroundings.quoting(quoted);
        if (quoted === undefined || context === undefined) dropped('no-match');
        else context.tell({ type: 'error-message', code: message.code, quoted }, now, out);
        return;
      }
    }
  }

  /** There is no context yet. */
  #receiveFirst(
    ulids: LocatorPair,
    message: I1 | I2 | I2bis,
    packet: ReceivedPacket,
    now: Instant,
    out: HostEffect[],
  ): void {
    const { responder, dropped } = this.#surroundings;
    if (!this.#surroundings.isIdentifier(ulids.local)) dropped('not-an-identifier');
    else if (!this.#surroundings.admits(message, packet)) dropped('policy');
    else if (message.type === 'I1') this.#answer(responder.r1(message, packet, now), out);
    else if (!responder.accepts(message, packet, now)) dropped('validator');
    else this.#surroundings.accept(ulids, message, packet, now, out);
  }

  #answerR1bis(
    tag: ContextTag,
    packet: { source: Address; destination: Address },
    now: Instant,
    out: HostEffect[],
  ): void {
    this.#answer(this.#surroundings.responder.r1bis(tag, packet, now), out);
  }

  #answer(answer: ReturnType<Responder['r1']>, out: HostEffect[]): void {
    if (answer.type === 'transmit') out.push(answer);
    else this.#surroundings.dropped(answer.reason);
  }
}
