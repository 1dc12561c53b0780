import type { HipRefused } from '../hip/packet.ts';
import type { Reason } from '../wire/parsed.ts';

/** A value of the JSON document. */
export type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/** Decoded values by the names of `docs/glossary.md`. */
export type Fields = Readonly<Record<string, Json>>;

/** What came of a check; `absent`: there was nothing to check; `unknown`: the capture lacks what the check needs. */
export type CheckResult = 'good' | 'bad' | 'absent' | 'unknown';

/** One option or parameter of a message. */
export interface DissectedOption {
  readonly type: number;
  readonly critical: boolean;
  /** Octets of its contents. */
  readonly length: number;
  readonly name?: string;
  readonly fields?: Fields;
  /** Its contents, in hexadecimal. */
  readonly body: string;
}

/** Results by what was checked: of Shim6 the signature, of HIP all but `icv`, of ESP that alone. */
export interface Checks {
  readonly puzzle?: CheckResult;
  readonly keymat?: CheckResult;
  readonly hipMac?: CheckResult;
  readonly hipMac2?: CheckResult;
  readonly signature?: CheckResult;
  readonly icv?: CheckResult;
}

/** Why a message could not be read to its end, and the octet, counted from the start of its header. */
export interface Flaw {
  /** `fragment`: the rest is in other fragments of the IP packet. */
  readonly reason: Reason | HipRefused['reason'] | 'fragment';
  readonly at: number;
}

/** What a packet carries behind a payload header or inside ESP; the addresses, where they are known, are those that programs see. */
export interface Inner {
  readonly protocol: number;
  readonly src?: string;
  readonly dst?: string;
}

/** One message of a capture. */
export interface DissectedMessage {
  /** Number of the frame in the file, from 1. */
  readonly frame: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly src: string;
  readonly dst: string;
  readonly protocol: 'shim6' | 'hip' | 'esp';
  /** Ports, when it came inside UDP. */
  readonly udp?: { readonly srcPort: number; readonly dstPort: number };
  readonly message: string;
  /** Octets of the header, as its own length field has it; of ESP all there are. */
  readonly length: number;
  /** `none`: a payload header, ESP, and HIP inside UDP have none, or the header was cut off. */
  readonly checksum: 'good' | 'bad' | 'none';
  readonly fields: Fields;
  readonly options: readonly DissectedOption[];
  readonly inner?: Inner;
  readonly checks?: Checks;
  readonly error?: Flaw;
}

/** The end of a capture file that was cut off or damaged; `at` counts from the start of the file. */
export interface FileEnd {
  /** The frame that could not be read. */
  readonly frame: number;
  readonly error: { readonly reason: Reason; readonly at: number };
}

export type Entry = DissectedMessage | FileEnd;
