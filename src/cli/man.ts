import type { Argument, Command, Option } from 'commander';
import { VERSION } from '../daemon/version.ts';

/** One manual page: its name, its section, and its text for man(7). */
export interface ManualPage {
  readonly name: string;
  readonly section: 1 | 5 | 8;
  readonly text: string;
}

/** loci(1), from what the program knows of its own commands. */
export function lociPage(program: Command): ManualPage {
  const help = program.createHelp();
  const commands = leaves(program).flatMap((command) => {
    const words = pathOf(command);
    return [
      `.SS ${quoted(words)}`,
      `.B ${quoted(`loci ${words}`)}`,
      roff(command.usage()),
      '.PP',
      roff(sentence(help.subcommandDescription(command))),
      ...help.visibleArguments(command).flatMap(argumentEntry),
      ...options(command),
    ];
  });
  return page('loci', 1, program.description(), [
    '.SH SYNOPSIS',
    '.B loci',
    roff('[options] command [operands]'),
    '.SH DESCRIPTION',
    roff(program.description()),
    '.SH OPTIONS',
    ...options(program),
    '.SH COMMANDS',
    ...commands,
    ...EXIT_STATUS,
    ...seeAlso(['locid', 8], ['locid.toml', 5]),
  ]);
}

/** locid(8). */
export function locidPage(program: Command): ManualPage {
  return page('locid', 8, program.description(), [
    '.SH SYNOPSIS',
    '.B locid',
    roff('[options]'),
    '.SH DESCRIPTION',
    roff(program.description()),
    '.PP',
    roff('It needs CAP_NET_ADMIN and CAP_NET_RAW, /dev/net/tun, nf_tables, and an IPv6 address with a /64 prefix.'),
    '.SH OPTIONS',
    ...options(program),
    '.SH SIGNALS',
    ...entry('SIGTERM, SIGINT', 'close in order and leave nothing behind'),
    ...entry('SIGHUP', 'read the configuration again; a file with a mistake is refused and the old values stay'),
    '.SH ENVIRONMENT',
    ...entry('NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID', 'where the service manager listens, see sd_notify(3)'),
    ...EXIT_STATUS,
    ...seeAlso(['loci', 1], ['locid.toml', 5]),
  ]);
}

/** locid.toml(5), from the JSON Schema of the configuration. */
export function locidTomlPage(schema: unknown): ManualPage {
  const { top, tables } = keysOf(schema, '');
  return page('locid.toml', 5, 'configuration of locid', [
    '.SH DESCRIPTION',
    roff('One TOML file, by default /etc/loci/locid.toml. Every key may be left out; an unknown key is a mistake.'),
    roff('To find mistakes:'),
    '.PP',
    '.RS',
    '.B loci config check',
    '.I file',
    '.RE',
    '.SH KEYS',
    ...top.flatMap(({ name, description }) => entry(name, description)),
    ...tables.flatMap(({ name, description, keys }) => [
      `.SH ${quoted(`TABLE [${name}]`)}`,
      roff(description),
      ...keys.flatMap((key) => entry(key.name, key.description)),
    ]),
    ...seeAlso(['locid', 8], ['loci', 1]),
  ]);
}

function page(name: string, section: ManualPage['section'], purpose: string, body: readonly string[]): ManualPage {
  const lines = [
    `.TH ${quoted(name.toUpperCase())} ${String(section)} "" ${quoted(`loci ${VERSION}`)}`,
    '.nh', // names and numbers are to be found again as they are
    '.SH NAME',
    `${roff(name)} \\- ${roff(lowerFirst(purpose).replace(/\.$/, ''))}`,
    ...body,
  ];
  return { name, section, text: `${lines.filter((line) => line !== '').join('\n')}\n` };
}

const EXIT_STATUS: readonly string[] = [
  '.SH EXIT STATUS',
  ...entry('0', 'success'),
  ...entry('1', 'the thing failed'),
  ...entry('2', 'it could not start: usage, configuration, privilege, device'),
];

function seeAlso(...pages: readonly (readonly [name: string, section: number])[]): string[] {
  return ['.SH SEE ALSO', pages.map(([name, section]) => `${roff(name)}(${String(section)})`).join(', ')];
}

/** The commands that do something, in the order of `loci --help`. */
function leaves(command: Command): Command[] {
  const commands = command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== 'help');
  return commands.flatMap((inner) => (inner.commands.length > 0 ? leaves(inner) : [inner]));
}

/** The words that call a command, without the program's own. */
function pathOf(command: Command): string {
  const above = command.parent;
  if (above === null) return '';
  return `${pathOf(above)} ${command.name()}`.trim();
}

function options(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .flatMap((option: Option) => entry(help.optionTerm(option), help.optionDescription(option)));
}

function argumentEntry(argument: Argument): string[] {
  return entry(argument.name(), argument.description);
}

interface Key {
  readonly name: string;
  readonly description: string;
}

interface Table extends Key {
  readonly keys: readonly Key[];
}

/** The keys of a schema and the tables in it, each table by its full name. */
function keysOf(schema: unknown, prefix: string): { readonly top: readonly Key[]; readonly tables: readonly Table[] } {
  const top: Key[] = [];
  const tables: Table[] = [];
  for (const [name, inner] of Object.entries(record(record(schema)['properties']))) {
    const property = record(inner);
    const description = String(property['description'] ?? '');
    if (!('properties' in property)) {
      top.push({ name, description: `${description}${defaultOf(property)}` });
      continue;
    }
    const within = keysOf(property, `${prefix}${name}.`);
    tables.push({ name: prefix + name, description, keys: within.top }, ...within.tables);
  }
  return { top, tables };
}

function defaultOf(property: Readonly<Record<string, unknown>>): string {
  const value = property['default'];
  if (value === undefined) return '';
  const isBits = typeof value === 'number' && value > 0xffff; // a mark; people write it so
  return ` Default: ${isBits ? `0x${value.toString(16)}` : JSON.stringify(value)}.`;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function entry(term: string, description: string): string[] {
  return ['.TP', `.B ${quoted(term)}`, roff(description)];
}

/** Text as man(7) shows it unchanged: hyphens can be copied, and no line is taken for a request. */
function roff(text: string): string {
  const safe = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('"', '\\(dq');
  return ascii(safe).replaceAll(/^\./gm, '\\&.');
}

/** The same as one argument of a request. */
function quoted(text: string): string {
  return `"${roff(text)}"`;
}

/** Letters that old formatters do not know, by their number. */
function ascii(text: string): string {
  return text.replaceAll(
    /[^\0-\x7f]/gu,
    (letter) => `\\[u${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
