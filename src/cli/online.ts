import { Argument } from 'commander';
import type { Command } from 'commander';
import type { PairText } from '../host/events.ts';
import type { Results, TextWish } from '../daemon/protocol.ts';
import { LociError } from '../node/error.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { ask, watch } from './client.ts';
import { espKeysView, wiresharkTable } from './esp-keys.ts';
import type { Terminal } from './terminal.ts';
import { associationsView, contextsView, eventLine, locatorsView, pathsView, statusView } from './views.ts';

/** Options that every command understands. */
export interface Globals {
  readonly socket: string;
  readonly json?: true;
}

/** The commands that ask a running daemon. */
export function registerOnline(program: Command, terminal: Terminal): void {
  const show = <C extends keyof Views>(name: C, description: string, view: Views[C]): void => {
    program
      .command(name)
      .description(description)
      .action(async (_: unknown, command: Command) => {
        const { socket, json } = command.optsWithGlobals<Globals>();
        const result = await ask(socket, { id: 1, command: name });
        terminal.out(json === true ? `${JSON.stringify(result)}\n` : view(result, terminal.coloured));
      });
  };
  show('status', 'how locid is doing', statusView);
  show('contexts', 'the contexts with other hosts', contextsView);
  show('locators', "this host's addresses", locatorsView);
  show('associations', 'the HIP associations with other hosts', associationsView);
  show('paths', 'the locator pairs, and why each is used or not', pathsView);

  program
    .command('monitor')
    .description('what happens, as it happens, until interrupted')
    .option('--peer <ulid>', 'only what concerns the contexts with this peer')
    .action(async ({ peer }: { readonly peer?: string }, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      for await (const event of watch(socket, peer === undefined ? undefined : canonical(peer), terminal.enough)) {
        terminal.out(`${json === true ? JSON.stringify(event) : eventLine(event)}\n`);
      }
    });

  registerEspKeys(program, terminal);
  registerWishes(program, terminal);

  program
    .command('close')
    .description('drop the context between two ULIDs; the peer finds out by itself (RFC 5533 §9)')
    .argument('<own>', 'our ULID')
    .argument('<peer>', "the peer's ULID")
    .action(async (own: string, peer: string, _: unknown, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      const ulids: PairText = [canonical(own), canonical(peer)];
      const { closed } = await ask(socket, { id: 1, command: 'close', ulids });
      if (closed === 0)
        throw new LociError('unknown-context', `there is no context between ${ulids[0]} and ${ulids[1]}`);
      terminal.out(json === true ? `${JSON.stringify({ closed })}\n` : `closed ${String(closed)}\n`);
    });
}

/** For people who look into their own traffic. */
function registerEspKeys(program: Command, terminal: Terminal): void {
  program
    .command('esp-keys')
    .description('the keys of ESP; refused unless hip.keylog is configured')
    .option('--wireshark', "as lines of Wireshark's file esp_sa")
    .action(async ({ wireshark }: { readonly wireshark?: true }, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      const keys = await ask(socket, { id: 1, command: 'esp-keys' });
      if (json === true) terminal.out(`${JSON.stringify(keys)}\n`);
      else terminal.out(wireshark === true ? wiresharkTable(keys) : espKeysView(keys));
    });
}

/** RFC 6316 for the contexts with one peer. */
function registerWishes(program: Command, terminal: Terminal): void {
  const tell = async (command: Command, peer: string, wish: TextWish): Promise<void> => {
    const { socket, json } = command.optsWithGlobals<Globals>();
    const { contexts } = await ask(socket, { id: 1, command: 'wish', peer: canonical(peer), wish });
    terminal.out(json === true ? `${JSON.stringify({ contexts })}\n` : `told ${String(contexts)} contexts\n`);
  };
  program
    .command('prefer')
    .description('send to a peer over one pair of locators, until it fails there')
    .argument('<peer>', "the peer's ULID")
    .argument('[own]', 'our locator')
    .argument('[remote]', "the peer's locator")
    .option('--none', 'no preference any more')
    .action(
      async (peer: string, own: string | undefined, remote: string | undefined, { none }: None, command: Command) => {
        if ((none === true) === (own !== undefined) || (own === undefined) !== (remote === undefined))
          throw new LociError('usage', 'prefer wants a pair of locators, or --none');
        const pair: PairText | null =
          own === undefined || remote === undefined ? null : [canonical(own), canonical(remote)];
        await tell(command, peer, { type: 'prefer', pair });
      },
    );
  program
    .command('standby')
    .description('keep a second pair ready for a failure (hot standby, RFC 6316 §6.3)')
    .argument('<peer>', "the peer's ULID")
    .addArgument(new Argument('<state>', 'whether').choices(['on', 'off']))
    .action(async (peer: string, state: string, _: unknown, command: Command) => {
      await tell(command, peer, { type: 'standby', isOn: state === 'on' });
    });
  program
    .command('feedback')
    .description('how the communication with a peer goes (RFC 6316 §8.3); bad: the pair in use is tested')
    .argument('<peer>', "the peer's ULID")
    .addArgument(new Argument('<verdict>', 'how').choices(['good', 'bad']))
    .action(async (peer: string, verdict: string, _: unknown, command: Command) => {
      await tell(command, peer, { type: 'feedback', isGood: verdict === 'good' });
    });
}

interface None {
  readonly none?: true;
}

type Views = {
  readonly [C in 'status' | 'contexts' | 'locators' | 'associations' | 'paths']: (
    result: Results[C],
    coloured: boolean,
  ) => string;
};

function canonical(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new LociError('usage', `${text} is not an IPv6 address`);
  return formatAddress(address);
}
