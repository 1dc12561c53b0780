import type { Command } from 'commander';
import type { PairText } from '../host/events.ts';
import type { Results } from '../daemon/protocol.ts';
import { LociError } from '../node/error.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { ask, watch } from './client.ts';
import type { Terminal } from './terminal.ts';
import { contextsView, eventLine, locatorsView, pathsView, statusView } from './views.ts';

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
  show('paths', 'the locator pairs, and why each is used or not', pathsView);

  program
    .command('monitor')
    .description('what happens, as it happens, until interrupted')
    .action(async (_: unknown, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      for await (const event of watch(socket, terminal.enough)) {
        terminal.out(`${json === true ? JSON.stringify(event) : eventLine(event)}\n`);
      }
    });

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

type Views = {
  readonly [C in 'status' | 'contexts' | 'locators' | 'paths']: (result: Results[C], coloured: boolean) => string;
};

function canonical(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new LociError('usage', `${text} is not an IPv6 address`);
  return formatAddress(address);
}
