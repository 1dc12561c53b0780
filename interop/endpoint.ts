import { z } from 'zod';
import type { Noticed, Pair, Profile } from '../src/cli/demo/daemons.ts';
import type { Host, Topology } from '../src/cli/demo/topology.ts';

/** What can be asked about a context of any endpoint. */
export interface Standing {
  readonly ulids: Pair;
  readonly state: string;
  readonly pair: Pair;
  readonly tagLocal: string;
  readonly tagPeer: string | null;
  readonly peerLocators: readonly { readonly address: string; readonly broken: boolean }[];
}

const pair: z.ZodType<Pair> = z.tuple([z.string(), z.string()]);
/** The shape of `loci contexts --json` as far as the scenarios read it; foreign endpoints answer `status` with the same. */
export const Standings: z.ZodType<Standing[]> = z.array(
  z.object({
    ulids: pair,
    state: z.string(),
    pair,
    tagLocal: z.string(),
    tagPeer: z.string().nullable(),
    peerLocators: z.array(z.object({ address: z.string(), broken: z.boolean() })),
  }),
);

/** A running endpoint on one of the two hosts. */
export interface Party {
  readonly ulid: string;
  /** Whether packets of programs get through when their path has died. */
  readonly carriesPayload: boolean;
  contexts(): Promise<readonly Standing[]>;
  /** Begins a context with the peer, and keeps it in use where there is payload. */
  open(peer: string): Promise<void>;
  /** What `open` keeps up ends; the context stays. */
  quiet(): void;
  /** Forgets the context without a word. */
  close(peer: string): Promise<void>;
  /** Dies without a word and comes back as itself. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Circumstances {
  readonly topology: Topology;
  readonly host: Host;
  /** The one that begins contexts; the other one waits for them. */
  readonly initiates: boolean;
  readonly onEvent: (event: Noticed) => void;
}

/** An implementation that can be put on either host. */
export type Endpoint =
  | { readonly name: string; readonly kind: 'loci'; readonly profile: Profile }
  | { readonly name: string; readonly kind: 'foreign'; readonly path: string };

export const BUILT_IN: readonly Endpoint[] = (['fast', 'balanced', 'rfc'] as const).map((profile) => ({
  name: `loci-${profile}`,
  kind: 'loci',
  profile,
}));

/** An endpoint says that it cannot do what a scenario needs. */
export class Unsupported extends Error {}
