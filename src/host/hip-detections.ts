import type { Random } from '../crypto/ports.ts';
import type { AssociationInput, HipPath, PeerAgreement } from '../hip/association-io.ts';
import type { Instant } from '../wire/time.ts';
import { Agreements } from './detection.ts';
import type { DetectionSettings } from './detection.ts';
import { HipDetection } from './hip-detection.ts';
import type { HipHostEffect } from './hip-io.ts';
import type { HipPeer } from './hip-peer.ts';
import type { HostLocator } from './host-io.ts';
import { Paths } from './paths.ts';
import { Sharing } from './sharing.ts';

/** The host whose associations are watched. */
export interface Watched {
  readonly locators: () => readonly HostLocator[];
  readonly offersUdp: boolean;
  readonly tell: (peer: HipPeer, input: AssociationInput, now: Instant, out: HipHostEffect[]) => void;
  readonly dropped: (reason: string) => void;
}

/** REAP over HIP for all associations of a host, and what they learn together. */
export class HipDetections {
  readonly paths: Paths = new Paths();
  readonly #agreements: Agreements;
  readonly #sharing: Sharing<HipHostEffect>;
  readonly #host: Watched;

  constructor(settings: DetectionSettings, random: Random, host: Watched) {
    this.#agreements = new Agreements(settings, random);
    this.#sharing = new Sharing(settings.probeBudget, host.locators, 0);
    this.#host = host;
  }

  /** When `tick` is next due. */
  get deadline(): Instant {
    return this.#sharing.deadline;
  }

  tick(now: Instant, out: HipHostEffect[]): void {
    this.#sharing.tick(now, out);
  }

  /** An association stands that was established on `base`. */
  begin(peer: HipPeer, { detectionMs }: PeerAgreement, base: HipPath): void {
    peer.stopDetecting();
    if (detectionMs === undefined) return;
    const { locators, offersUdp, tell, dropped } = this.#host;
    peer.detection = new HipDetection(peer, base, this.#agreements.with({ detectionMs }), {
      sharing: this.#sharing,
      paths: this.paths,
      locators,
      hasChoice: () => offersUdp && peer.association.peer?.udp === true,
      tell: (input, now, out) => tell(peer, input, now, out),
      dropped,
    });
  }
}
