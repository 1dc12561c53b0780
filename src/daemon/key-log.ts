import { closeSync, fchmodSync, openSync, writeSync } from 'node:fs';
import type { HipHostEffect } from '../host/hip-io.ts';
import { LociError, messageOf } from '../node/error.ts';
import { toHex } from '../wire/hex.ts';

/** Appends to the file, which only its owner may read. */
const OWNER_ONLY = 0o600;

/** Keys of SAs, one JSON object per line, for `loci dissect --keys`. */
export class KeyLog {
  readonly #fd: number;

  constructor(file: string) {
    try {
      this.#fd = openSync(file, 'a', OWNER_ONLY);
      fchmodSync(this.#fd, OWNER_ONLY);
    } catch (cause) {
      throw new LociError('keylog', `cannot write keys to ${file}: ${messageOf(cause)}; see hip.keylog`, { cause });
    }
  }

  write({ own, peer, sa }: Extract<HipHostEffect, { readonly type: 'keys' }>): void {
    const [src, dst] = sa.direction === 'in' ? [peer, own] : [own, peer];
    const line = {
      ev: 'sa',
      spi: `0x${sa.spi.toString(16).padStart(8, '0')}`,
      suite: sa.suite,
      enc: toHex(sa.keys.encryption),
      auth: toHex(sa.keys.authentication),
      src: toHex(src),
      dst: toHex(dst),
      esn: !sa.hasShortNumbers,
    };
    writeSync(this.#fd, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
