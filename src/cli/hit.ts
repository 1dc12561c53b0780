import type { Command } from 'commander';
import { ownIdentityOf, readHipKeyFile } from '../daemon/hip-keys.ts';
import { parseDet } from '../hip/det.ts';
import { parseHostIdentity } from '../hip/host-identity.ts';
import type { HostIdentity } from '../hip/host-identity.ts';
import { hitOf, isOrchid } from '../hip/orchid.ts';
import { parameterOf } from '../hip/parameter.ts';
import { parseParameters } from '../hip/parameter-list.ts';
import { LociError } from '../node/error.ts';
import { nodeHipCrypto } from '../node/hip-crypto.ts';
import { parseAddress } from '../wire/address.ts';
import { fromHex } from '../wire/hex.ts';
import { describeHit, describeIdentity, hitText, identityText } from './hip-identity.ts';
import type { Terminal } from './terminal.ts';

/** `loci hit`: who a key file, a HOST_ID parameter or an address is. */
export function registerHit(program: Command, terminal: Terminal): void {
  program
    .command('hit')
    .description('the HIT of a key file or of a HOST_ID parameter, or what a HIT or DET says of itself')
    .argument('[file or address]', 'a key file of loci keygen hip, or a HIT, or a DET')
    .option('--host-id <hex>', 'a HOST_ID parameter (RFC 7401 §5.2.9), type and length included')
    .action((what: string | undefined, { hostId }: { readonly hostId?: string }, command: Command) => {
      const isJson = command.optsWithGlobals<{ readonly json?: true }>().json === true;
      if ((what === undefined) === (hostId === undefined)) {
        throw new LociError('usage', 'hit wants a key file, an address, or --host-id');
      }
      const print = (document: object, text: string): void => {
        terminal.out(isJson ? `${JSON.stringify(document)}\n` : text);
      };
      const address = what === undefined ? undefined : parseAddress(what);
      if (address !== undefined) {
        if (!isOrchid(address) && parseDet(address) === undefined) {
          throw new LociError('usage', 'this address is neither a HIT (2001:20::/28) nor a DET (2001:30::/28)');
        }
        print(describeHit(address), hitText(address));
        return;
      }
      const { hit, identity } = hostId === undefined ? ownIdentityOf(readHipKeyFile(what ?? '')) : named(hostId);
      print(describeIdentity(hit, identity), identityText(hit, identity));
    });
}

function named(text: string): { readonly hit: Uint8Array; readonly identity: HostIdentity } {
  const octets = fromHex(text.replace(/\s/g, ''));
  if (octets === undefined) throw new LociError('usage', '--host-id wants hexadecimal digits');
  const parameters = parseParameters(octets, 0);
  if (!parameters.ok) {
    const { reason, at } = parameters;
    throw new LociError('usage', `--host-id is no parameter: ${reason} at octet ${String(at)}`);
  }
  const hostId = parameterOf({ parameters: parameters.value }, 'HOST_ID');
  if (hostId === undefined) throw new LociError('usage', '--host-id holds another parameter (HOST_ID has type 705)');
  const identity = parseHostIdentity(hostId.algorithm, hostId.hostIdentity);
  if (!identity.ok) {
    const algorithm = `algorithm ${String(hostId.algorithm)}`;
    throw new LociError('usage', `--host-id holds a Host Identity that is malformed or unknown here (${algorithm})`);
  }
  return { hit: hitOf(nodeHipCrypto, identity.value), identity: identity.value };
}
