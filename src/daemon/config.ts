import type { DhGroup } from '../crypto/ports.ts';
import type { SuiteId } from '../esp/suites.ts';
import type { ContextSnapshot } from '../host/snapshot.ts';

export type Profile = ContextSnapshot['profile'];
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What the configuration file says, with every default filled in. `docs/operating.md` explains the keys. */
export interface Config {
  readonly profile: Profile;
  readonly keyFile: string;
  readonly stateDirectory: string;
  readonly controlSocket: string;
  readonly metricsSocket: string | undefined;
  readonly logLevel: LogLevel;
  readonly interfaces: InterfaceConfig;
  readonly tun: { readonly name: string };
  readonly interception: InterceptionConfig;
  readonly policy: PolicyConfig;
  readonly detection: DetectionConfig;
  readonly links: readonly LinkConfig[];
  readonly peers: readonly PeerConfig[];
  /** Besides the one of `keyFile`. */
  readonly identities: readonly IdentityConfig[];
  readonly hip: HipConfig;
}

/** The Host Identity Protocol. */
export interface HipConfig {
  readonly enabled: boolean;
  readonly keyFile: string;
  readonly hostsFile: string;
  readonly profile: Profile;
  /** Best first. */
  readonly espSuites: readonly SuiteId[];
  readonly dhGroups: readonly DhGroup[];
  /** Puzzles of a greater K are refused. */
  readonly puzzleLimit: number;
  readonly usesUdp: boolean;
  readonly keylog: string | undefined;
  /** HITs of peers that authenticate 32-bit sequence numbers, as text (RFC 5952). */
  readonly peersWithShortNumbers: readonly string[];
}

/** A further identity of this host, with addresses of its own. */
export interface IdentityConfig {
  readonly name: string;
  readonly keyFile: string;
  /** Where it has addresses; empty: on all interfaces that take part. */
  readonly interfaces: readonly string[];
}

/** Which interfaces take part; a trailing `*` stands for any rest. An empty `include` means all. */
export interface InterfaceConfig {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Numbers of our rules and tables in the kernel. */
export interface InterceptionConfig {
  readonly mark: number;
  readonly divertPreference: number;
  readonly locatorPreference: number;
  readonly table: number;
  readonly locatorTable: number;
  /** Smallest TCP retransmission timeout on routes to Loci peers, in milliseconds; 0 leaves the kernel's. */
  readonly rtoMinMs: number;
  /** RFC 5533 §8: also errors on which Shim6 acts. */
  readonly deliverAllErrors: boolean;
}

/** Which traffic gets a context, and for how long. */
export interface PolicyConfig {
  readonly triggerPackets: number;
  readonly triggerBytes: number;
  readonly triggerSeconds: number;
  readonly rules: readonly PolicyRule[];
  readonly exemptPorts: readonly number[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly idleMinutes: number;
}

/** When a flow gets a context; 0 in bytes or seconds: they decide nothing. */
export interface PolicyRule {
  readonly peer?: string | undefined;
  readonly port?: number | undefined;
  readonly context: 'never' | 'always' | 'deferred';
  readonly triggerPackets: number;
  readonly triggerBytes: number;
  readonly triggerSeconds: number;
}

/** What the locators on some interfaces are worth; the first table that names one counts. */
export interface LinkConfig {
  /** A trailing `*` stands for any rest. */
  readonly interface: string;
  readonly cost: number;
  readonly backup: boolean;
}

/** Which peers are meant, whether they may open a context, and what they are told. */
export interface PeerConfig {
  readonly prefix?: string | undefined;
  /** SHA-256 of the DER SubjectPublicKeyInfo, in lower-case hexadecimal digits. */
  readonly key?: string | undefined;
  /** Of ours, on which the peer arrives; a trailing `*` stands for any rest. */
  readonly interface?: string | undefined;
  readonly accept: boolean;
  /** Interfaces whose locators the peer is told. */
  readonly announce?: readonly string[] | undefined;
}

/** How failures are found, and when traffic returns. */
export interface DetectionConfig {
  readonly returnAfterSeconds: number;
  readonly probeBudget: number;
  readonly sendTimeoutMs: Readonly<Partial<Record<Profile, number>>>;
}
