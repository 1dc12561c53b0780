import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeHandover, writeHandover } from '../../../src/daemon/handover.ts';
import { readKeyFile } from '../../../src/daemon/keys.ts';
import { parseConfig } from '../../../src/daemon/load.ts';
import { parseSubnetPrefix } from '../../../src/daemon/prefix.ts';
import { LineReader } from '../../../src/daemon/lines.ts';
import { parseRequest } from '../../../src/daemon/protocol.ts';
import { parseRuleset } from '../../../src/node/doctor/ruleset.ts';
import { LociError } from '../../../src/node/error.ts';
import { pseudoKey } from '../../../src/cga/hba.ts';
import { toHex } from '../../../src/wire/hex.ts';
import type { Target } from '../targets.ts';
import { sceneOf } from '../scenes.ts';
import { recordingLog } from '../../daemon/recording-log.ts';
import { text } from './wire.ts';

/** What the parsers of files get to see; removed with the process. */
const folder = mkdtempSync(join(tmpdir(), 'loci-fuzz-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
const file = join(folder, 'input');
const inFile = (bytes: Uint8Array): string => {
  writeFileSync(file, bytes, { mode: 0o600 });
  return file;
};

function handover(): Uint8Array {
  writeHandover(file, { contexts: sceneOf('ESTABLISHED').host.remember(), identifiers: [] });
  return new Uint8Array(readFileSync(file));
}

const hbaKey = {
  format: 'loci-key',
  version: 1,
  kind: 'hba',
  sec: 0,
  modifier: '00'.repeat(16),
  publicKey: toHex(pseudoKey(new Uint8Array(48).fill(7))),
  prefixes: ['2001:db8:a:1::/64', '2001:db8:b:1::/64'],
};

export const daemonTargets: Readonly<Record<string, Target>> = {
  configuration: {
    run: (bytes) => {
      try {
        parseConfig(new TextDecoder().decode(bytes), 'fuzz.toml');
        return true;
      } catch (error) {
        if (error instanceof LociError && error.code === 'config' && error.line !== undefined) return false;
        throw error;
      }
    },
    corpus: [text(''), text('[tun]\nname = "loci0"\n'), text('[policy]\nallow = ["2001:db8::/32"]\ndeny = []\n')],
  },
  'handover file': {
    isSlow: true,
    run: (bytes) => {
      let complaints = 0;
      takeHandover(inFile(bytes), { ...recordingLog(), warn: () => complaints++ });
      return complaints === 0;
    },
    corpus: [handover(), text('{"boot":"b","at":1,"identifiers":[],"contexts":[]}')],
  },
  'key file': {
    isSlow: true,
    run: (bytes) => {
      try {
        readKeyFile(inFile(bytes));
        return true;
      } catch (error) {
        if (error instanceof LociError) return false;
        throw error;
      }
    },
    corpus: [text(JSON.stringify(hbaKey))],
  },
  'nft ruleset': {
    run: (bytes) => {
      try {
        return parseRuleset(new TextDecoder().decode(bytes)).length > 0;
      } catch (error) {
        if (error instanceof SyntaxError || error instanceof TypeError) return false; // as it says
        throw error;
      }
    },
    corpus: [
      text(
        '{"nftables":[{"chain":{"family":"ip6","table":"t","name":"c","hook":"input"}},{"rule":{"family":"ip6","table":"t","chain":"c","handle":3,"expr":[{"drop":null}]}}]}',
      ),
    ],
  },
  'control lines': {
    run: (bytes) => {
      const reader = new LineReader(64);
      const whole = new TextDecoder().decode(bytes);
      const lines = [reader.lines(whole.slice(0, whole.length / 2)), reader.lines(whole.slice(whole.length / 2))];
      return lines.every((some) => some?.every((line) => line.length <= 64));
    },
    corpus: [text('{"id":1}\n{"id":2}\n{"id'), text('\n\n')],
  },
  'control request': {
    run: (bytes) => 'request' in parseRequest(new TextDecoder().decode(bytes)),
    corpus: [text('{"id":1,"command":"status"}'), text('{"id":"a","command":"contexts"}')],
  },
  'subnet prefix': {
    run: (bytes) => parseSubnetPrefix(new TextDecoder().decode(bytes)) !== undefined,
    corpus: [text('2001:db8:a:1::/64'), text('fd00::/64'), text('::/64')],
  },
};
