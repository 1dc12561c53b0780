import { parseConfig } from '../../../src/daemon/load.ts';
import { parseSubnetPrefix } from '../../../src/daemon/prefix.ts';
import { parseRequest } from '../../../src/daemon/protocol.ts';
import { LociError } from '../../../src/node/error.ts';
import type { Target } from '../targets.ts';
import { text } from './wire.ts';

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
  'control request': {
    run: (bytes) => 'request' in parseRequest(new TextDecoder().decode(bytes)),
    corpus: [text('{"id":1,"command":"status"}'), text('{"id":"a","command":"contexts"}')],
  },
  'subnet prefix': {
    run: (bytes) => parseSubnetPrefix(new TextDecoder().decode(bytes)) !== undefined,
    corpus: [text('2001:db8:a:1::/64'), text('fd00::/64'), text('::/64')],
  },
};
