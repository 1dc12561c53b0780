import type { Command } from 'commander';
import type { PairText } from '../host/events.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from '../host/snapshot.ts';
import { selectSource } from '../locators/source-selection.ts';
import { explainDestinations, explainPairs, explainSources } from '../locators/why.ts';
import { LociError, messageOf } from '../node/error.ts';
import type { SelectionFacts, SelectionPicture } from '../node/doctor/selection.ts';
import { formatAddress, parseAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { ask } from './client.ts';
import { addressesOf } from './named-address.ts';
import type { Globals } from './online.ts';
import type { Terminal } from './terminal.ts';
import type { ExplainedContext, WhyReport } from './why-report.ts';
import { whyView } from './why-view.ts';

/** `loci why [SRC] DST`: which addresses are chosen, and by which rules. */
export function registerWhy(program: Command, terminal: Terminal): void {
  program
    .command('why')
    .description('which addresses are chosen, rule by rule (RFC 6724, RFC 5534 §4.2)')
    .argument('<source>', 'our address, or - for any; alone it is the destination')
    .argument('[destination]', 'an address, several with commas between, or a name')
    .action(async (first: string, second: string | undefined, _: unknown, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      const asked = second === undefined || first === '-' ? undefined : ownAddress(first);
      const destinations = await addressesOf(second ?? first);
      const { openSelection } = await import('../node/doctor/open-selection.ts'); // pulls in the addon
      const report = {
        ...openSelection((picture) => selection(picture, asked, destinations)),
        ...(await contexts(socket, asked, destinations)),
      };
      terminal.out(json === true ? `${JSON.stringify(report)}\n` : whyView(report, terminal.coloured));
    });
}

function ownAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new LociError('usage', `${text} is not an IPv6 address`);
  return address;
}

function selection(
  picture: SelectionPicture,
  asked: Address | undefined,
  destinations: readonly Address[],
): Pick<WhyReport, 'destinations' | 'source'> {
  if (asked !== undefined && !picture.has(asked))
    throw new LociError('usage', `${formatAddress(asked)} is not an address of this host; see: ip -6 addr`);
  const facts = destinations.map((address) => ({ address, facts: picture.towards(address) }));
  const ordered = explainDestinations(
    facts.map(({ address, facts: f }) => ({ address, source: sourceOf(address, f) })),
  );
  const first = ordered[0]?.address;
  const best = facts.find(({ address }) => address === first) ?? facts[0];
  if (best === undefined) throw new TypeError('no destination');
  const sources =
    best.facts.interface === undefined ? [] : explainSources(best.address, best.facts.candidates, best.facts.policy);
  return {
    destinations: ordered.map(({ address, source, lostBy }) => ({
      address: formatAddress(address),
      source: source === undefined ? null : formatAddress(source.address),
      ...(lostBy === undefined ? {} : { lostBy }),
    })),
    source: {
      destination: formatAddress(best.address),
      interface: best.facts.interface ?? null,
      asked: asked === undefined ? null : formatAddress(asked),
      chosen: textOf(sources.find(({ lostBy }) => lostBy === undefined)?.candidate.address),
      kernel: textOf(best.facts.kernelSource),
      candidates: sources.map(({ candidate, lostBy }) => ({
        address: formatAddress(candidate.address),
        interface: best.facts.candidates.find((own) => own === candidate)?.interface ?? '',
        ...(lostBy === undefined ? {} : { lostBy }),
      })),
    },
  };
}

/** What getaddrinfo compares: the source that the kernel takes. */
function sourceOf(destination: Address, facts: SelectionFacts): SelectionFacts['candidates'][number] | undefined {
  const { candidates, policy, kernelSource } = facts;
  if (facts.interface === undefined) return undefined;
  const chosen = selectSource(destination, candidates, policy);
  return (
    candidates.find(({ address }) => kernelSource !== undefined && sameOctets(address, kernelSource)) ??
    candidates.find((candidate) => candidate === chosen)
  );
}

function textOf(address: Address | undefined): string | null {
  return address === undefined ? null : formatAddress(address);
}

async function contexts(
  socket: string,
  asked: Address | undefined,
  destinations: readonly Address[],
): Promise<Pick<WhyReport, 'withoutContexts' | 'contexts'>> {
  try {
    const all = await ask(socket, { id: 1, command: 'contexts' });
    const locators = await ask(socket, { id: 2, command: 'locators' });
    const paths = await ask(socket, { id: 3, command: 'paths' });
    const peers = destinations.map(formatAddress);
    const own = asked === undefined ? undefined : formatAddress(asked);
    const wanted = all.filter(
      ({ ulids, localLocators, peerLocators }) =>
        (own === undefined || ulids[0] === own || localLocators.includes(own)) &&
        (peers.includes(ulids[1]) || peerLocators.some(({ address }) => peers.includes(address))),
    );
    return { withoutContexts: null, contexts: wanted.map((context) => explained(context, locators, paths)) };
  } catch (error) {
    if (!(error instanceof LociError)) throw error;
    return { withoutContexts: messageOf(error), contexts: [] }; // addresses can be explained all the same
  }
}

/** The question that the host asks when it ranks the pairs of this context. */
function explained(
  context: ContextSnapshot,
  locators: readonly LocatorSnapshot[],
  paths: readonly PathSnapshot[],
): ExplainedContext {
  const { ulids, state, pair: inUse, localLocators, peerLocators } = context;
  const pairs = explainPairs({
    own: locators
      .filter(({ address }) => localLocators.includes(address))
      .map((locator) => ({ ...locator, address: octets(locator.address) })),
    peer: peerLocators.map((locator) => ({ ...locator, address: octets(locator.address), verified: true })),
    current: { local: octets(inUse[0]), peer: octets(inUse[1]) },
  });
  return {
    ulids,
    state,
    inUse,
    pairs: pairs.map(({ pair, ...rest }) => {
      const text: PairText = [formatAddress(pair.local), formatAddress(pair.peer)];
      const path = paths.find((known) => known.pair[0] === text[0] && known.pair[1] === text[1]);
      return { pair: text, ...rest, state: path?.state ?? null };
    }),
  };
}

function octets(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new LociError('protocol', `locid answered with ${text}, which is not an address`);
  return address;
}
